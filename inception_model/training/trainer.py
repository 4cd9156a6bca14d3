"""Training from images to weights: three losses, weight averaging, growing image sizes, resumable to the bit.

Nothing random is carried from step to step: data order, views and dropout are drawn anew from (seed, step), so a run
that goes on from `last.pt` ends with the same weights as one that was never interrupted.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..architecture.network import ConvUnit, GoogLeNet, Heads
from ..images.preprocessing import Preprocessing
from .augmentation import RandomViews, View, collate, view_seed
from .data import LabelledImages
from .evaluation import evaluate_network
from .recipe import Stage, TrainingConfig, learning_rate
from .run_folder import RunFolder, TrainingError

AUX_WEIGHT = 0.3
SAVE_SECONDS = 300.0
"""Between resume points."""


class StoppedError(TrainingError):
    """The run was asked to stop; everything up to that step is saved."""


def views(size: int) -> Preprocessing:
    """The whole shorter side at `size` pixels: what the network is validated on while it trains."""
    return Preprocessing(size=size, resize=size, interpolation="bicubic")


def losses(heads: Heads, labels: Tensor, smoothing: float) -> Tensor:
    """main + 0.3 aux1 + 0.3 aux2 (section 5)."""
    total = F.cross_entropy(heads.main.float(), labels, label_smoothing=smoothing)
    for logits in (heads.aux1, heads.aux2):
        if logits is not None:
            total = total + AUX_WEIGHT * F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
    return total


def batches(images: int, batch: int, first: int, steps: int, seed: int) -> Iterator[list[int]]:
    """Index batches `first` .. `first + steps`; every epoch is a new permutation, so a resumed run goes on exactly."""
    per_epoch = max(1, images // batch)
    epoch, order = -1, np.empty(0, dtype=np.int64)
    for step in range(first, first + steps):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            order = np.random.default_rng([seed, epoch]).permutation(images)
        start = (step % per_epoch) * batch
        yield order[start : start + batch].tolist()


class AllHeads(nn.Module):
    """A network whose forward pass gives all heads, for wrappers that call a module."""

    def __init__(self, network: GoogLeNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Heads:
        return self.network.forward_heads(x)


class Trainer:
    """One training run in a folder (see `RunFolder`), resumable at every step."""

    def __init__(
        self,
        network: GoogLeNet,
        train: LabelledImages,
        held_out: LabelledImages | None,
        out: Path,
        config: TrainingConfig,
        device: torch.device,
        *,
        workers: int = 0,
        bf16: bool = False,
        save_seconds: float = SAVE_SECONDS,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.config, self.train_images, self.held_out, self.device = config, train, held_out, device
        self.folder = RunFolder(out)
        self.workers, self.bf16, self.save_seconds, self.stop = workers, bf16, save_seconds, stop
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.network, multi_avg_fn=self._average, use_buffers=True)
        decay = [p for p in self.network.parameters() if p.ndim >= 2]
        rest = [p for p in self.network.parameters() if p.ndim < 2]
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.SGD(groups, config.lr, momentum=config.momentum, nesterov=True)
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.step = 0
        self.seconds = 0.0
        self.accuracy: dict[str, Any] = {}

    def _average(self, averaged: Any, current: Any, _: Any) -> None:
        # A young average forgets its random start faster.
        weight = 1 - min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, weight)
            else:
                old.copy_(new)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all stages."""
        return sum(self.config.steps_of(stage, len(self.train_images)) for stage in self.config.stages)

    def run(self) -> GoogLeNet:
        """Trains through all stages from the current step on and returns the averaged network in eval mode.

        Raises StoppedError (saved up to that step) or TrainingError (diverged, disk full; the last good state stays).
        """
        end = 0
        with tqdm(
            total=self.total_steps,
            initial=self.step,
            unit="step",
            desc="train",
            dynamic_ncols=True,
            disable=self.rank > 0,
            mininterval=5.0,
        ) as bar:
            for stage in self.config.stages:
                start, end = end, end + self.config.steps_of(stage, len(self.train_images))
                if self.step >= end:
                    continue
                if stage.tune and self.step == start:
                    self._start_tuning()
                self._run_stage(stage, end, bar)
                if self.rank == 0:
                    self._validate(stage.size)
                    self._save()
        return self.averaged()

    def averaged(self) -> GoogLeNet:
        """The averaged weights in a network of their own, in eval mode, on the CPU."""
        network = GoogLeNet(self.network.spec)
        network.load_state_dict(self.average.module.state_dict())
        return network.eval()

    def _start_tuning(self) -> None:
        """The averaged weights are what is tuned, with an optimizer that remembers nothing."""
        self.network.load_state_dict(self.average.module.state_dict())
        self.optimizer.state.clear()

    def _trainable(self, stage: Stage) -> None:
        """In a tuned stage only the classifiers and the batch norm learn."""
        for parameter in self.network.parameters():
            parameter.requires_grad_(not stage.tune)
        if stage.tune:
            tuned = [unit.bn for _, unit in self.network.conv_units() if isinstance(unit, ConvUnit)]
            classifiers = [m for name, m in self.network.named_modules() if name.split(".")[-1] == "classifier"]
            for module in (*tuned, *classifiers):
                if module is not None:
                    module.requires_grad_(True)

    def _loss_and_heads(self, forward: nn.Module, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Heads]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            heads = Heads(*forward(views(224).normalise(pixels.float() / 255)))
        return losses(heads, labels, self.config.label_smoothing), heads

    def _run_stage(self, stage: Stage, end: int, bar: tqdm[Any]) -> None:
        config, images = self.config, len(self.train_images)
        whole = enumerate(batches(images, config.batch, self.step, end - self.step, config.seed), self.step)
        loader = DataLoader(
            RandomViews(self.train_images, View(stage, config), config.seed),
            batch_sampler=[[(step, i) for i in indices[self.rank :: self.world]] for step, indices in whole],
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
        )
        self._trainable(stage)
        self.network.train()
        every: nn.Module = AllHeads(self.network)
        every = DistributedDataParallel(every) if self.world > 1 else every
        window: list[Tensor] = []
        started = saved = time.perf_counter()
        for pixels, labels in loader:
            pixels, labels = pixels.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.step, images, config)
            torch.manual_seed(view_seed(config.seed, self.step, images + self.rank))  # dropout
            self.optimizer.zero_grad(set_to_none=True)
            loss, heads = self._loss_and_heads(every, pixels, labels)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_((p for p in self.network.parameters() if p.grad is not None), 5.0)
            self.optimizer.step()
            self.step += 1
            self.average.update_parameters(self.network)
            window.append(torch.stack([loss.detach(), *_accuracies(heads, labels)]))
            bar.update()
            now, due = time.perf_counter(), self._told_to_stop()
            if len(window) == 50 or self.step == end or due or now - saved > self.save_seconds:
                self.seconds += now - started
                self._report(
                    stage, torch.stack(window).mean(0).tolist(), len(window) * config.batch, now - started, bar
                )
                window, started = [], now
                if due or now - saved > self.save_seconds:
                    saved = now
                    if self.rank == 0:
                        self._save()
            if due:
                raise StoppedError(
                    f"stopped at step {self.step} of {self.total_steps}; the same command goes on from there"
                )

    def _told_to_stop(self) -> bool:
        """Whether any process was told to stop: all have to end with the same step."""
        if self.world == 1:
            return self.stop()
        told = torch.tensor(float(self.stop()), device=self.device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told.item())

    def _report(self, stage: Stage, means: list[float], images: int, seconds: float, bar: tqdm[Any]) -> None:
        if not all(math.isfinite(mean) for mean in means):
            kept = self.folder.last
            raise TrainingError(
                f"the loss became {means[0]} near step {self.step} (learning rate "
                f"{self.optimizer.param_groups[0]['lr']:.3g}): start again in another folder with a smaller --lr. "
                + (f"{kept} holds the last good state." if kept.is_file() else "Nothing was saved yet.")
            )
        names = ("loss", *(f"train_{head}" for head in self.network.spec.heads))
        values = {name: round(value, 4) for name, value in zip(names, means, strict=True)}
        bar.set_postfix(**values, images_s=round(images / seconds, 1))
        lr = round(self.optimizer.param_groups[0]["lr"], 6)
        self._log(
            {"step": self.step, "size": stage.size, "lr": lr, "images_per_s": round(images / seconds, 1), **values}
        )

    def _validate(self, size: int) -> None:
        if self.held_out is None or not len(self.held_out):
            return
        result = evaluate_network(self.averaged().to(self.device), self.held_out, views(size), workers=self.workers)
        self.accuracy = {head: asdict(value) for head, value in result.items()}
        self._log({"step": self.step, "size": size, "held_out": self.accuracy})

    def _log(self, record: dict[str, Any]) -> None:
        if self.rank == 0:
            self.folder.log(record)

    def _save(self) -> None:
        self.folder.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "accuracy": self.accuracy,
                "config": self._identity(),
            }
        )

    def resume(self) -> None:
        """Goes on from `last.pt`, if the folder has one; raises TrainingError if it is of another run or damaged."""
        state = self.folder.load(self._identity(), self.device)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.accuracy = int(state["step"]), float(state["seconds"]), state["accuracy"]

    def _identity(self) -> str:
        """What must be the same for a run to go on."""
        return json.dumps({"spec": self.network.spec.name, "images": len(self.train_images), **asdict(self.config)})


def _accuracies(heads: Heads, labels: Tensor) -> list[Tensor]:
    """Share of the batch that each head gets right."""
    return [(logits.detach().argmax(1) == labels).float().mean() for logits in heads if logits is not None]
