"""Training from images to weights: three losses, weight averaging, growing image sizes, resumable.

Source: section 5 (auxiliary losses weighted 0.3) and section 6 (momentum 0.9, Polyak averaging) of the paper.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from .augmentation import Crops
from .data import LabelledImages
from .evaluation import collate, evaluate_network
from .network import GoogLeNet, Heads
from .preprocessing import Preprocessing

AUX_WEIGHT = 0.3


@dataclass(frozen=True)
class Stage:
    """A part of the training at one image size (pixels); epochs may be a fraction."""

    size: int
    epochs: float


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a run besides the network and the data."""

    stages: tuple[Stage, ...] = (Stage(128, 1.0), Stage(224, 1.0))
    batch: int = 128
    lr: float = 0.1
    lr_end: float = 0.0
    warmup_steps: int = 200
    momentum: float = 0.9
    weight_decay: float = 2e-4
    label_smoothing: float = 0.1
    ema_decay: float = 0.999
    min_area: float = 0.35
    max_aspect: float = 1.25
    photometric: float = 0.0
    workers: int = 2
    seed: int = 0
    bf16: bool = True
    save_every: int = 200


def parse_stages(text: str) -> tuple[Stage, ...]:
    """`128:3,224:0.5` -> three epochs at 128 pixels, then half an epoch at 224."""
    try:
        stages = tuple(
            Stage(int(size), float(epochs)) for size, epochs in (part.split(":") for part in text.split(","))
        )
    except ValueError:
        raise ValueError(f"stages must look like 128:3,224:0.5 (size:epochs); got {text!r}") from None
    if any(stage.size < 32 or stage.epochs <= 0 for stage in stages):
        raise ValueError(f"every stage needs a size of at least 32 pixels and more than 0 epochs; got {text!r}")
    return stages


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


def learning_rate(step: int, total: int, config: TrainingConfig) -> float:
    """Linear warm-up to `lr`, then linearly to `lr_end`."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    done = min(1.0, (step - config.warmup_steps) / max(1, total - config.warmup_steps))
    return config.lr + (config.lr_end - config.lr) * done


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


class Trainer:
    """One training run in a folder: `last.pt` to resume from, `log.jsonl` with the three heads' accuracy."""

    def __init__(
        self,
        network: GoogLeNet,
        train: LabelledImages,
        validation: LabelledImages | None,
        out: Path,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        self.config, self.train_images, self.validation, self.out, self.device = config, train, validation, out, device
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.network, multi_avg_fn=self._average, use_buffers=True)
        decay = [p for p in self.network.parameters() if p.ndim >= 2]
        rest = [p for p in self.network.parameters() if p.ndim < 2]
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.SGD(groups, config.lr, momentum=config.momentum, nesterov=True)
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.step = 0
        self.stage_start = 0
        self.accuracy: dict[str, Any] = {}
        self.out.mkdir(parents=True, exist_ok=True)

    def _average(self, averaged: Any, current: Any, _: Any) -> None:
        # Starts anew with each stage: batch norm's statistics change with the image size.
        n = self.step - self.stage_start
        weight = 1 - min(self.config.ema_decay, (1 + n) / (10 + n))
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, weight)
            else:
                old.copy_(new)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all stages."""
        return sum(self.steps_of(stage) for stage in self.config.stages)

    def steps_of(self, stage: Stage) -> int:
        """Optimizer steps in a stage."""
        return max(1, round(stage.epochs * len(self.train_images) / self.config.batch))

    def run(self) -> GoogLeNet:
        """Trains through all stages from the current step on and returns the averaged network in eval mode."""
        end, total = 0, self.total_steps
        quiet = self.rank > 0
        with tqdm(total=total, initial=self.step, unit="step", desc="train", dynamic_ncols=True, disable=quiet) as bar:
            for stage in self.config.stages:
                start, end = end, end + self.steps_of(stage)
                if self.step >= end:
                    continue
                self.stage_start = start
                self._run_stage(stage, end, total, bar)
                if self.rank == 0:
                    self._validate(stage)
                    self._save()
        return self.averaged()

    def averaged(self) -> GoogLeNet:
        """The averaged weights in a network of their own, in eval mode, on the CPU."""
        network = GoogLeNet(self.network.spec)
        network.load_state_dict(self.average.module.state_dict())
        return network.eval()

    def _loss_and_heads(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Heads]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16):
            heads = self.network.forward_heads(views(224).normalise(pixels.float() / 255))
        return losses(heads, labels, self.config.label_smoothing), heads

    def _run_stage(self, stage: Stage, end: int, total: int, bar: tqdm[Any]) -> None:
        config = self.config
        whole = batches(len(self.train_images), config.batch, self.step, end - self.step, config.seed)
        loader = DataLoader(
            Crops(self.train_images, stage.size, config.min_area, config.max_aspect, config.photometric),
            batch_sampler=[indices[self.rank :: self.world] for indices in whole],
            num_workers=config.workers,
            collate_fn=collate,
            persistent_workers=False,
            pin_memory=self.device.type == "cuda",
        )
        window: list[Tensor] = []
        started = time.perf_counter()
        self.network.train()
        for pixels, labels in loader:
            pixels, labels = pixels.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.step, total, config)
            self.optimizer.zero_grad(set_to_none=True)
            loss, heads = self._loss_and_heads(pixels, labels)
            torch.autograd.backward(loss)
            self._share_gradients()
            nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimizer.step()
            self.step += 1
            self.average.update_parameters(self.network)
            window.append(torch.stack([loss.detach(), *_accuracies(heads, labels)]))
            bar.update()
            if len(window) == 50 or self.step == end:
                self._report(stage, torch.stack(window).mean(0).tolist(), len(window) * config.batch, started, bar)
                window, started = [], time.perf_counter()
            if self.step % config.save_every == 0 and self.rank == 0:
                self._save()

    def _share_gradients(self) -> None:
        """The mean of all processes' gradients, in one message (nothing to do in a run of one process)."""
        if self.world == 1:
            return
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.world
        for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def _report(self, stage: Stage, means: list[float], images: int, started: float, bar: tqdm[Any]) -> None:
        if not math.isfinite(means[0]):
            raise FloatingPointError(f"the loss became {means[0]} at step {self.step}; use a smaller learning rate")
        rate = images / (time.perf_counter() - started)
        names = ("loss", *(f"train_{head}" for head in self.network.spec.heads))
        values = {name: round(value, 4) for name, value in zip(names, means, strict=True)}
        bar.set_postfix(**values, images_s=round(rate, 1))
        self._log({"step": self.step, "size": stage.size, "images_per_s": round(rate, 1), **values})

    def _validate(self, stage: Stage) -> None:
        if self.validation is None:
            return
        network = self.averaged().to(self.device)
        network = network.to(torch.bfloat16) if self.config.bf16 else network
        result = evaluate_network(network, self.validation, views(stage.size), workers=self.config.workers)
        self.accuracy = {head: asdict(value) for head, value in result.items()}
        self._log({"step": self.step, "size": stage.size, "validation": self.accuracy})

    def _log(self, record: dict[str, Any]) -> None:
        if self.rank > 0:
            return
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "config": self._identity(),
        }
        temporary = self.out / "last.pt.part"
        torch.save(state, temporary)
        temporary.replace(self.out / "last.pt")

    def resume(self) -> None:
        """Goes on from `last.pt`, if the folder has one; raises ValueError if it is of another run."""
        path = self.out / "last.pt"
        if not path.is_file():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["config"] != self._identity():
            raise ValueError(f"{path} is of a run with other settings: {state['config']}. Use another --out folder.")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])

    def _identity(self) -> str:
        """What must be the same for a run to go on."""
        return json.dumps({"spec": self.network.spec.name, "images": len(self.train_images), **asdict(self.config)})


def _accuracies(heads: Heads, labels: Tensor) -> list[Tensor]:
    """Share of the batch that each head gets right."""
    return [(logits.detach().argmax(1) == labels).float().mean() for logits in heads if logits is not None]
