"""Training from images to weights: three losses, weight averaging, growing image sizes, resumable to the bit.

Nothing random is carried from step to step: data order, views and dropout are drawn anew from (seed, step), so a run
that goes on from `last.pt` ends with the same weights as one that was never interrupted.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..architecture.labels import Label
from ..architecture.network import Heads
from ..images.preprocessing import CAFFE, Preprocessing
from .augmentation import RandomViews, Told, View, collate_told, seed_default, unbroken, view_seed
from .averaging import averaging, newest_weight
from .data import LabelledImages
from .evaluation import evaluate_network
from .identity import NO_START, identity, same_identity
from .objective import AllHeads, Trainable, accuracies, losses
from .recipe import LATER, Stage, TrainingConfig, learning_rate
from .run_folder import RunFolder, TrainingError

SAVE_SECONDS = 300.0
"""Between resume points."""


N = TypeVar("N", bound=Trainable)


class StoppedError(TrainingError):
    """The run was asked to stop; everything up to that step is saved."""


def views(size: int, config: TrainingConfig) -> Preprocessing:
    """The whole shorter side at `size` pixels: what the network is validated on while it trains."""
    whole = Preprocessing(size=size, resize=size, interpolation="bicubic")
    if config.inputs == "standardised":
        return whole
    return replace(whole, scale=CAFFE.scale, mean=CAFFE.mean[::-1], std=CAFFE.std)  # in RGB


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


class Trainer(Generic[N]):
    """One training run in a folder (see `RunFolder`), resumable at every step.

    `start`: SHA-256 of the file whose weights the network has, `classes`: what the labels mean; both are only what the
    run is known by. `watch` is called with every step's gradients, before they change the weights. Of several processes
    each trains on its share of every batch; what they log is the mean of all.
    """

    def __init__(
        self,
        network: N,
        train: LabelledImages,
        held_out: LabelledImages | None,
        out: Path,
        config: TrainingConfig,
        device: torch.device,
        *,
        workers: int = 0,
        bf16: bool = False,
        save_seconds: float = SAVE_SECONDS,
        start: str = NO_START,
        classes: Sequence[Label] = (),
        stop: Callable[[], bool] = lambda: False,
        watch: Callable[[Trainer[N]], None] = lambda _: None,
    ) -> None:
        self.config, self.train_images, self.held_out, self.device = config, train, held_out, device
        self.folder = RunFolder(out)
        self.start, self.classes = start, classes
        self.workers, self.bf16, self.save_seconds, self.stop, self.watch = workers, bf16, save_seconds, stop, watch
        self.network: N = cast(N, network.to(device).to(memory_format=torch.channels_last))
        update = averaging(lambda: newest_weight(self.step, self.total_steps, config, self.average_began))
        self.average = AveragedModel(self.network, multi_avg_fn=update, use_buffers=True)
        self.optimizer = self._optimizer(config.bias_rate)
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if config.batch % self.world:
            raise TrainingError(
                f"a batch of {config.batch} can't be shared evenly by {self.world} processes: use a --batch that can"
            )
        self.step = 0
        self.seconds = 0.0
        self.accuracy: dict[str, Any] = {}
        self.begun_without: tuple[str, ...] = ()

    def _optimizer(self, bias_rate: float) -> torch.optim.SGD:
        """Of each group `rate`: its learning rate in parts of the run's."""
        named = list(self.network.named_parameters())
        rates = dict.fromkeys((1.0, bias_rate))  # of the parameters without weight decay

        def rate_of(name: str) -> float:
            return bias_rate if name.split(".")[-1] == "bias" else 1.0

        groups: list[dict[str, Any]] = [
            {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": self.config.weight_decay, "rate": 1.0}
        ]
        for rate in rates:
            rest = [p for name, p in named if p.ndim < 2 and rate_of(name) == rate]
            groups += [{"params": rest, "weight_decay": 0.0, "rate": rate}] if rest else []
        config = self.config
        return torch.optim.SGD(groups, config.lr, momentum=config.momentum, nesterov=config.nesterov)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all stages."""
        return sum(self.config.steps_of(stage, len(self.train_images)) for stage in self.config.stages)

    @property
    def average_began(self) -> int:
        """Step from which the weights are averaged: a stage that tunes begins anew, because it is short and changes
        much, and would hardly count in the average of all before."""
        end = 0
        for stage in self.config.stages:
            if stage.tune and self.step > end:  # the step that ends the stage before still counts with it
                return end
            end += self.config.steps_of(stage, len(self.train_images))
        return 0

    def run(self) -> N:
        """Trains through all stages from the current step on and returns the averaged network in eval mode.

        Raises StoppedError (saved up to that step) or TrainingError (diverged, disk full; the last good state stays).
        """
        end = 0
        if self.step == 0 and self.rank == 0:
            self.folder.begin()
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
                    self._save()
        return self.averaged()

    def averaged(self) -> N:
        """The averaged weights in a network of their own, in eval mode, on the CPU."""
        network = copy.deepcopy(self.average.module).to("cpu").to(memory_format=torch.contiguous_format)
        return cast(N, network.eval())

    def _start_tuning(self) -> None:
        """The averaged weights are what is tuned, with an optimizer that remembers nothing."""
        self.network.load_state_dict(self.average.module.state_dict())
        self.optimizer.state.clear()

    def _trainable(self, stage: Stage) -> None:
        """In a tuned stage only the classifiers and the batch norm learn."""
        for parameter in self.network.parameters():
            parameter.requires_grad_(not stage.tune)
        if stage.tune:
            tuned = [unit.bn for _, unit in self.network.conv_units()]
            classifiers = [m for name, m in self.network.named_modules() if name.split(".")[-1] == "classifier"]
            for module in (*tuned, *classifiers):
                if module is not None:
                    module.requires_grad_(True)

    def _loss_and_heads(self, forward: nn.Module, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Heads]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            heads = Heads(*forward(views(pixels.shape[-1], self.config).normalise(pixels.float() / 255)))
        return losses(heads, labels, self.config.label_smoothing, self.config.aux_weight), heads

    def _run_stage(self, stage: Stage, end: int, bar: tqdm[Any]) -> None:
        config, images = self.config, len(self.train_images)
        whole = enumerate(batches(images, config.batch, self.step, end - self.step, config.seed), self.step)
        loader = DataLoader(
            Told(RandomViews(self.train_images, View(stage, config), config.seed)),
            batch_sampler=[[(step, i) for i in indices[self.rank :: self.world]] for step, indices in whole],
            num_workers=self.workers,
            collate_fn=collate_told,
            pin_memory=self.device.type == "cuda",
        )
        self._trainable(stage)
        self.network.train()
        every: nn.Module = AllHeads(self.network)
        every = DistributedDataParallel(every) if self.world > 1 else every
        per_epoch = max(1, images // config.batch)
        window: list[Tensor] = []
        started = saved = time.perf_counter()
        for pixels, labels in unbroken(loader):
            pixels, labels = pixels.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
            for group in self.optimizer.param_groups:
                group["lr"] = group["rate"] * learning_rate(self.step, images, config)
            seed_default(view_seed(config.seed, self.step, images + self.rank), self.device)  # dropout
            self.optimizer.zero_grad(set_to_none=True)
            loss, heads = self._loss_and_heads(every, pixels, labels)
            torch.autograd.backward(loss)
            self.watch(self)
            if config.clip:
                nn.utils.clip_grad_norm_((p for p in self.network.parameters() if p.grad is not None), config.clip)
            self.optimizer.step()
            self.step += 1
            self.average.update_parameters(self.network)
            window.append(torch.stack([loss.detach(), *accuracies(heads, labels)]))
            bar.update()
            now, due = time.perf_counter(), self._told_to_stop()
            measured = self.step % per_epoch == 0 or self.step == end
            if len(window) == 50 or due or measured or now - saved > self.save_seconds:
                self.seconds += now - started
                self._report(stage, self._means(window), len(window) * config.batch, now - started, bar)
                if measured and self.rank == 0:  # before it is saved: whoever goes on from there measures no more
                    self._validate(stage.size)
                window, started = [], time.perf_counter()
                if due or now - saved > self.save_seconds:
                    saved = now
                    if self.rank == 0:
                        self._save()
            if due:
                raise StoppedError(
                    f"stopped at step {self.step} of {self.total_steps}; the same command goes on from there"
                )

    def _means(self, window: list[Tensor]) -> list[float]:
        """Mean loss and accuracies of some steps, over all processes."""
        means = torch.stack(window).mean(0)
        if self.world > 1:
            dist.all_reduce(means)
            means /= self.world
        return means.tolist()

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
        result = evaluate_network(
            self.averaged().to(self.device), self.held_out, views(size, self.config), workers=self.workers
        )
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
                "config": self._identity,
            }
        )

    def resume(self) -> None:
        """Goes on from `last.pt`, if the folder has one; raises TrainingError if it is of another run or damaged."""
        state = self.folder.load(self._identity, self.device, same_identity)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        begun = json.loads(state["config"])
        self.begun_without = tuple(name for name in LATER if name not in begun)
        if "bias_rate" in self.begun_without:  # it goes on as it was begun
            self.config = replace(self.config, bias_rate=TrainingConfig.bias_rate)
            self.optimizer = self._optimizer(self.config.bias_rate)
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group.setdefault("rate", TrainingConfig.bias_rate)
        self.step, self.seconds, self.accuracy = int(state["step"]), float(state["seconds"]), state["accuracy"]

    @cached_property
    def _asked(self) -> str:
        """What this run was asked for."""
        return identity(self.config, self.network.spec.name, self.train_images, self.start, self.classes)

    @property
    def _identity(self) -> str:
        """What must be the same for a run to go on. It stays without the settings that it was begun without, so that
        the same command goes on once more."""
        return json.dumps({n: value for n, value in json.loads(self._asked).items() if n not in self.begun_without})
