"""What a training run does, as data: stages, rates and augmentation; and the recipes that have a name.

Source: section 5 (auxiliary losses weighted 0.3) and section 6 (momentum 0.9, Polyak averaging) of the paper; FixRes
(Touvron et al. 2019, arXiv 1906.06423) for the last stage, TrivialAugment (Mueller and Hutter 2021, arXiv 2103.10158)
and random erasing (Zhong et al. 2017, arXiv 1708.04896) for the augmentation.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A part of the training at one image size (pixels); epochs may be a fraction.

    `tune` trains the classifiers and the batch norm only, on centre views, as FixRes does at the size of use.
    """

    size: int
    epochs: float
    tune: bool = False


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a run besides the network and the data."""

    stages: tuple[Stage, ...] = (Stage(128, 1.0), Stage(224, 1.0))
    batch: int = 128
    lr: float = 0.1
    lr_end: float = 0.0
    tune_lr: float = 0.01
    warmup_steps: int = 200
    momentum: float = 0.9
    weight_decay: float = 2e-4
    label_smoothing: float = 0.1
    ema_decay: float = 0.999
    min_area: float = 0.35
    max_aspect: float = 4 / 3
    trivial_augment: bool = False
    erasing: float = 0.0
    photometric: float = 0.0
    holdout: int = 0
    seed: int = 0

    def steps_of(self, stage: Stage, images: int) -> int:
        """Optimizer steps in a stage over that many training images."""
        return max(1, round(stage.epochs * images / self.batch))


RECIPES: dict[str, TrainingConfig] = {
    "tiny-imagenet": TrainingConfig(
        stages=(
            Stage(64, 20),
            Stage(96, 16),
            Stage(128, 9),
            Stage(160, 1),
            Stage(224, 1),
            Stage(224, 0.5, tune=True),
        ),
        warmup_steps=1500,
        trivial_augment=True,
        erasing=0.1,
        holdout=5000,
    ),
}
"""Named presets of `train --recipe`; the bundled checkpoint comes from `tiny-imagenet`."""


def learning_rate(step: int, images: int, config: TrainingConfig) -> float:
    """One cycle over all stages but the tuned ones: linear warm-up to `lr`, then half a cosine to `lr_end`.

    Each tuned stage has half a cosine of its own, from `tune_lr` to 0.
    """
    total = sum(config.steps_of(stage, images) for stage in config.stages if not stage.tune)
    if step < min(config.warmup_steps, total):
        return config.lr * (step + 1) / config.warmup_steps
    if step < total:
        return _cosine(config.lr, config.lr_end, (step - config.warmup_steps) / max(1, total - config.warmup_steps))
    start = 0
    for stage in config.stages:
        steps = config.steps_of(stage, images)
        if stage.tune and start <= step < start + steps:
            return _cosine(config.tune_lr, 0.0, (step - start) / steps)
        start += steps
    return config.lr_end


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def parse_stages(text: str) -> tuple[Stage, ...]:
    """`128:3,224:0.5,224:1:tune` -> three epochs at 128 pixels, half a one at 224, one that only tunes at 224.

    Raises ValueError that says what a stage looks like. A tuned stage can't stand before another kind.
    """
    stages: list[Stage] = []
    try:
        for part in text.split(","):
            size, epochs, *rest = part.split(":")
            if rest not in ([], ["tune"]):
                raise ValueError(part)
            stages.append(Stage(int(size), float(epochs), tune=bool(rest)))
    except ValueError:
        raise ValueError(
            f"stages must look like 128:3,224:0.5 (size:epochs, or size:epochs:tune); got {text!r}"
        ) from None
    if any(stage.size < 32 or not stage.epochs > 0 for stage in stages):
        raise ValueError(f"every stage needs a size of at least 32 pixels and more than 0 epochs; got {text!r}")
    if any(a.tune and not b.tune for a, b in itertools.pairwise(stages)):
        raise ValueError(f"stages that tune come last; got {text!r}")
    return tuple(stages)
