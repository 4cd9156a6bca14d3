"""Infidelity and sensitivity of a map (Yeh et al. 2019), as captum measures them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..attribution import METHODS
from ..attribution.captum_metrics import SLOPES, covering_squares, infidelity, sensitivity, uniform_noise
from .badge import Evidence
from .case import Case
from .spread import SEEDS, Spread

SQUARE = 4
"""The covering square's side is the image's divided by this."""


class OverSeeds(Evidence):
    """A check that is made once per seed. A subclass's field `values` holds its numbers, in the order of the seeds."""

    values: tuple[float, ...]

    @property
    def spread(self) -> Spread:
        return Spread(self.values)

    @property
    def value(self) -> float:
        """Mean over the seeds."""
        return self.spread.mean


@dataclass(frozen=True)
class Infidelity(OverSeeds):
    """How far the map's prediction of the score is from the truth when random squares are covered, in logits squared,
    at the map's best scale. `values`: one per seed of the squares; `uniforms`: the same for a map that is 1 everywhere.
    """

    name: ClassVar[str] = "infidelity"
    values: tuple[float, ...]
    uniforms: tuple[float, ...]
    samples: int
    square: int

    @property
    def uniform(self) -> float:
        """Mean over the seeds, of the map that is 1 everywhere."""
        return Spread(self.uniforms).mean

    @property
    def passed(self) -> bool:
        return self.value < self.uniform

    @property
    def sentence(self) -> str:
        verdict = "better than" if self.passed else "no better than"
        return (
            f"Asked how much the score falls when one of {self.samples} squares of {self.square} pixels is covered, "
            f"the map is off by {self.spread.words('.3g')} logits squared on average, {verdict} a map that is the same "
            f"everywhere ({Spread(self.uniforms).words('.3g')})."
        )


@dataclass(frozen=True)
class Sensitivity(OverSeeds):
    """The largest change of the map, as a share of its norm, under noise of `levels` grey levels of 255. `values`: one
    per seed of the noise, each the largest of `samples` changes."""

    name: ClassVar[str] = "sensitivity"
    label: str
    values: tuple[float, ...]
    samples: int
    levels: float
    threshold: float

    @property
    def passed(self) -> bool:
        return self.value < self.threshold

    @property
    def sentence(self) -> str:
        verdict = "steady enough" if self.passed else "too much to rely on single pixels"
        return (
            f"Noise of at most {self.levels:g} grey level, which nobody sees, changes the {self.label} map by up to "
            f"{self.spread.words('.0%')} of its norm in {self.samples} trials: {verdict} "
            f"(below {self.threshold:.0%} is asked for)."
        )


def map_for_infidelity(case: Case) -> Tensor:
    """(1, 3, S, S): the values where they have colours, else the heatmap at the image's size for all three."""
    values = case.attribution.values
    return (values if values.shape == case.x.shape[1:] else case.map().expand(3, -1, -1))[None].to(case.x.device)


def measure_infidelity(case: Case, *, samples: int = 32, seeds: Sequence[int] = SEEDS) -> Infidelity:
    """Covers one square at a time with what the map was compared with: its baseline, else the mean colour; `samples`
    squares per seed.

    The map and its rival that is 1 everywhere see the same squares.
    """
    known, x = case.attribution, case.x.to(case.classifier.device, torch.float32)
    side = x.shape[-1] // SQUARE
    covers = torch.zeros_like(x) if known.baselines is None else known.baselines.mean(0, keepdim=True)
    done, total = 0, 2 * samples * len(seeds)

    def score(images: Tensor) -> Tensor:
        nonlocal done
        case.report(min(done, total), total)
        done += len(images) if len(images) > 1 else 0  # captum asks for the uncovered image before every batch
        logits = case.classifier.network.head_logits(case.classifier.to_input(images), known.head)
        return known.target.score(logits.float())

    slopes = known.method in SLOPES
    found, even = (
        tuple(
            infidelity(score, x, values, covering_squares(covers, side, seed, slopes=slope), samples) for seed in seeds
        )
        for values, slope in ((map_for_infidelity(case).to(x), slopes), (torch.ones_like(x), False))
    )
    case.report(total, total)
    return Infidelity(found, even, samples, side)


def measure_sensitivity(
    case: Case, *, samples: int = 5, levels: float = 1.0, seeds: Sequence[int] = SEEDS, threshold: float = 0.5
) -> Sensitivity:
    """Makes the map of `samples` noisy copies of the image again, per seed; `levels`: the noise's bound in grey levels
    of 255."""
    white = torch.full((1, 3, 1, 1), levels / 255)
    pixels = case.classifier.preprocessing
    radius = (pixels.normalise(white) - pixels.normalise(torch.zeros_like(white))).abs()
    done, total = 0, (samples + 1) * len(seeds)

    def explained(image: Tensor) -> Tensor:
        nonlocal done
        case.report(done, total)
        done += 1
        return case.again(image).values[None]

    found = tuple(sensitivity(explained, case.x.float(), uniform_noise(radius, seed), samples) for seed in seeds)
    case.report(total, total)
    return Sensitivity(METHODS[case.attribution.method].label, found, samples, levels, threshold)
