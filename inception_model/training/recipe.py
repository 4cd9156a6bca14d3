"""What a training run does, as data: stages, rates and augmentation; and the recipes that have a name.

Source: section 5 (auxiliary losses weighted 0.3) and section 6 (momentum 0.9, Polyak averaging) of the paper; FixRes
(Touvron et al. 2019, arXiv 1906.06423) for the last stage, TrivialAugment (Mueller and Hutter 2021, arXiv 2103.10158)
and random erasing (Zhong et al. 2017, arXiv 1708.04896) for the augmentation. What the paper leaves open of its own
training (initial weights, rate, batch, weight decay, length) is BVLC Caffe's `bvlc_googlenet/solver.prototxt`, and what
biases do (lr_mult 2, decay_mult 0) its `train_val.prototxt`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..architecture.spec import DEFAULT_SIZE
from ..architecture.weights import HE, Initialisation

Inputs = Literal["standardised", "mean subtracted"]
"""RGB in units of its standard deviation, or from 0 to 255 with only the mean subtracted, as in the paper."""
Interpolation = Literal["nearest", "bilinear", "bicubic", "box"]
"""Names of torchvision's InterpolationMode; box is what the paper calls area."""

HELD_OUT = 5000
"""Training images, evenly over the classes, that the recipe measures on; a temperature is fitted on them as well."""


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
    """Everything that decides a run besides the network and the data.

    `spec`: the network of a run that starts from nothing. `decay_epochs`: the learning rate falls by `decay` every so
    many epochs; 0: one cycle. `clip`: the largest norm of a step's gradient; 0: any. `polyak_from`: the final weights
    are the mean over all steps after this share of the run (Polyak and Juditsky 1992); None: an exponential average.
    `bias_rate`: learning rate of biases, in parts of the others'; they have no weight decay. `grayscale`: share of
    views without colour where there is `photometric` distortion. `lighting`: standard deviation of the noise along the
    principal components of colour.
    """

    spec: str = "batchnorm"
    initialisation: Initialisation = HE
    inputs: Inputs = "standardised"
    stages: tuple[Stage, ...] = (Stage(128, 1.0), Stage(224, 1.0))
    batch: int = 128
    lr: float = 0.1
    lr_end: float = 0.0
    tune_lr: float = 0.01
    warmup_steps: int = 200
    decay_epochs: float = 0.0
    decay: float = 0.04
    momentum: float = 0.9
    nesterov: bool = True
    clip: float = 5.0
    weight_decay: float = 2e-4
    bias_rate: float = 1.0
    aux_weight: float = 0.3
    label_smoothing: float = 0.1
    ema_decay: float = 0.999
    polyak_from: float | None = None
    min_area: float = 0.35
    max_aspect: float = 4 / 3
    interpolations: tuple[Interpolation, ...] = ("bicubic",)
    trivial_augment: bool = False
    erasing: float = 0.0
    photometric: float = 0.0
    grayscale: float = 0.1
    lighting: float = 0.0
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
        holdout=HELD_OUT,
    ),
    "paper": TrainingConfig(
        spec="paper",
        initialisation="xavier",
        inputs="mean subtracted",
        stages=(Stage(DEFAULT_SIZE, 250),),
        batch=32,
        lr=0.01,
        warmup_steps=0,
        decay_epochs=8,
        nesterov=False,
        clip=0.0,
        bias_rate=2.0,
        label_smoothing=0.0,
        polyak_from=0.5,
        min_area=0.08,
        interpolations=("nearest", "bilinear", "bicubic", "box"),
        photometric=0.5,
        grayscale=0.0,
        lighting=0.1,
    ),
}
"""Named presets of `train --recipe`; the bundled checkpoint comes from `tiny-imagenet`, `paper` is section 6."""


FITTED_HEADS = TrainingConfig(stages=(Stage(DEFAULT_SIZE, 30),), lr=0.05)
"""What `fit-heads` does: the heads of a frozen trunk, on views that were computed once. Its size decides nothing."""


STUDY = TrainingConfig(stages=(Stage(64, 3),), batch=64, warmup_steps=50, label_smoothing=0.0, ema_decay=0.99)
"""A short run of `study`: enough to tell networks apart, at a size at which a processor has time for several seeds."""


def learning_rate(step: int, images: int, config: TrainingConfig) -> float:
    """One cycle over all stages but the tuned ones: linear warm-up to `lr`, then half a cosine to `lr_end`.

    With `decay_epochs` steps in the place of the cosine. Each tuned stage has half a cosine of its own, from `tune_lr`
    to 0.
    """
    total = sum(config.steps_of(stage, images) for stage in config.stages if not stage.tune)
    if step < min(config.warmup_steps, total):
        return config.lr * (step + 1) / config.warmup_steps
    if step < total and config.decay_epochs:
        return config.lr * (1 - config.decay) ** int(step * config.batch / images / config.decay_epochs)
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


LATER = ("bias_rate",)
"""Settings that a recipe has got after runs could be begun with it."""


def same_run(former: Mapping[str, object], settings: Mapping[str, object], defaults: Mapping[str, object]) -> bool:
    """Whether a run that was begun with `former` settings goes on with these; what it did not know yet it did as the
    defaults do, and does to its end where a recipe has got it since (LATER)."""
    begun = {name: defaults[name] for name in LATER if name not in former}
    return {**defaults, **former} == {**settings, **begun}


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
    if any(stage.size < 32 or not 0 < stage.epochs < math.inf for stage in stages):
        raise ValueError(
            f"every stage needs a size of at least 32 pixels and more than 0 epochs, a finite number; got {text!r}"
        )
    if any(a.tune and not b.tune for a, b in itertools.pairwise(stages)):
        raise ValueError(f"stages that tune come last; got {text!r}")
    return tuple(stages)
