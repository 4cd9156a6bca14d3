"""Insertion and deletion (Petsiuk et al. 2018): does the score follow the pixels that the map calls important?

Deletion takes the most important pixels away first, insertion puts them first on a blurred image. A map is compared
with rankings that say nothing: noise with the map's own power spectrum, which is as smooth or as grainy as the map but
important at random places. (Single random pixels would be no fair rival: they tear up an image's texture at once,
however unimportant they are.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import mean, stdev
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..architecture.spec import HeadName
from ..images.baselines import baseline
from ..inference.targets import Target
from .badge import Evidence
from .case import Case, generator
from .spread import SEEDS, Spread

Direction = Literal["insertion", "deletion"]
BASELINE: dict[Direction, str] = {"insertion": "blur", "deletion": "mean"}
"""What stands in for missing pixels: an insertion must not reveal edges, a deletion must not leave any."""
BATCH = 16


@dataclass(frozen=True)
class Curve(Evidence):
    """The score over the share of pixels deleted or inserted, for a map and for random rankings of the same grain.

    `shares` (n): 0 to 1. `scores` (n) and each of `random` (n): probability of the target (softmax of its head), or,
    for a contrast, the difference of two logits, as `unit` says. `baseline`: what stands in for missing pixels.
    """

    direction: Direction
    unit: str
    baseline: str
    shares: tuple[float, ...]
    scores: tuple[float, ...]
    random: tuple[tuple[float, ...], ...]

    @property
    def auc(self) -> float:
        """Mean height of the curve (trapezoid rule), in `unit`: high is good for insertion, low for deletion."""
        return area(self.shares, self.scores)

    @property
    def random_aucs(self) -> tuple[float, ...]:
        """The same for every random ranking."""
        return tuple(area(self.shares, scores) for scores in self.random)

    @property
    def random_mean(self) -> float:
        """Mean over the random rankings."""
        return mean(self.random_aucs)

    @property
    def random_spread(self) -> float:
        """Standard deviation over the random rankings."""
        return stdev(self.random_aucs)

    @property
    def gain(self) -> float:
        """How much better than the mean random ranking, in `unit`; positive is better in both directions."""
        difference = self.auc - self.random_mean
        return difference if self.direction == "insertion" else -difference

    @property
    def passed(self) -> bool:
        """Better than random rankings by more than their spread."""
        return self.gain > self.random_spread

    @property
    def sentence(self) -> str:
        done = {"insertion": "Putting in", "deletion": "Taking away"}[self.direction]
        verdict = "better than" if self.passed else "not better than"
        side = "above" if self.direction == "insertion" else "below"
        return (
            f"{done} the pixels that the map ranks highest first leaves a mean {self.unit} of {self.auc:.3f}, "
            f"{verdict} random places ({Spread(self.random_aucs).words('.3f')}; it must lie {side} "
            f"by more than that)."
        )


class Insertion(Curve):
    """The most important pixels are put on the blurred image first."""

    name: ClassVar[str] = "insertion"


class Deletion(Curve):
    """The most important pixels are replaced by the mean colour first."""

    name: ClassVar[str] = "deletion"


def area(shares: Sequence[float], scores: Sequence[float]) -> float:
    """The area under a curve by the trapezoid rule."""
    points = list(zip(shares, scores, strict=True))
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))


def random_rankings(heatmap: Tensor, count: int, seed: int = 0) -> Tensor:
    """(S, S) -> (count, S, S): Gaussian noise with the map's power spectrum (its Fourier phases replaced)."""
    spectrum = torch.fft.rfft2(heatmap.double()).abs()
    noise = torch.randn(count, *heatmap.shape, generator=generator(seed), dtype=torch.float64)
    phases = torch.fft.rfft2(noise)
    ranked: Tensor = torch.fft.irfft2(phases.sgn() * spectrum, s=heatmap.shape)  # sgn: z / |z|, and 0 of 0
    return ranked


def strict_ranking(heatmap: Tensor, seed: int) -> Tensor:
    """(S, S) -> (S, S) of different whole numbers in the map's order; equal values are ordered by chance.

    Guided GradCAM, for one, is 0 in most places: in reading order, these would be taken from the image's top.
    """
    values = heatmap.flatten()
    shuffled = torch.randperm(len(values), generator=generator(seed))
    order = shuffled[values[shuffled].argsort(stable=True)]
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    return rank.view_as(heatmap)


def masks(ranking: Tensor, shares: Sequence[float], seed: int = 0) -> Tensor:
    """(S, S) -> (n, S, S) bool: for each share, that part of the pixels with the largest values (`strict_ranking`)."""
    rank, pixels = strict_ranking(ranking, seed), ranking.numel()
    kept = torch.tensor([pixels - round(share * pixels) for share in shares])
    return rank[None] >= kept[:, None, None]


def score_function(case: Case) -> tuple[Callable[[Tensor], Tensor], str]:
    """Images (N, 3, S, S) on the device -> (N,) on the CPU, and what the numbers are."""
    head, target = case.attribution.head, case.attribution.target
    probability = "raw probability" if head in case.classifier.temperatures else "probability"
    unit = probability if target.minus is None else "difference of logits"
    return partial(_scores, case, head, target), unit


def _scores(case: Case, head: HeadName, target: Target, images: Tensor) -> Tensor:
    with torch.inference_mode():
        logits = case.classifier.network.head_logits(case.classifier.to_input(images), head).float().cpu()
    # A measure of maps, comparable with published ones and with contrasts of logits: at no temperature.
    return logits.softmax(1)[:, target.index] if target.minus is None else target.score(logits)


def curve(case: Case, direction: Direction, *, steps: int = 8, rivals: int = len(SEEDS), seed: int = 0) -> Curve:
    """One curve of `steps` equal steps for the map and for `rivals` random rankings, `BATCH` images at a time.

    Each ranking has a seed of its own, counted from `seed`; equal values are ordered by chance, from `seed` as well.

    The ends are the same for every ranking: del(0) = ins(1) = the image's score, del(1) = ins(0) = the baseline's.
    """
    if steps < 1 or rivals < 2:
        raise ValueError(f"a curve needs at least 1 step and 2 random rankings; got {steps} and {rivals}")
    x = case.x.to(case.classifier.device, torch.float32)
    other = baseline(BASELINE[direction], x, case.classifier.preprocessing)
    shares = tuple(step / steps for step in range(steps + 1))
    heatmap = case.map()
    rankings = torch.cat([heatmap.double()[None], *(random_rankings(heatmap, 1, seed + i) for i in range(rivals))])
    inner = torch.cat([masks(ranking, shares[1:-1], seed) for ranking in rankings])  # (rankings x inner shares, S, S)
    score, unit = score_function(case)
    ends = score(torch.cat([x, other]))
    scores = [ends[:0]]
    for start in range(0, len(inner), BATCH):
        case.report(start, len(inner))
        touched = inner[start : start + BATCH, None].to(x.device)
        # Touched pixels are the image's when inserting and the baseline's when deleting.
        scores.append(score(torch.where(touched if direction == "insertion" else ~touched, x, other)))
    case.report(len(inner), len(inner))
    first, last = (ends if direction == "deletion" else ends.flip(0)).tolist()
    rows = [(first, *row, last) for row in torch.cat(scores).view(len(rankings), steps - 1).tolist()]
    kind = Insertion if direction == "insertion" else Deletion
    return kind(direction, unit, BASELINE[direction], shares, rows[0], tuple(rows[1:]))


def insertion(case: Case, *, steps: int = 8, rivals: int = len(SEEDS), seed: int = 0) -> Curve:
    """See `curve`: starting from the blurred image."""
    return curve(case, "insertion", steps=steps, rivals=rivals, seed=seed)


def deletion(case: Case, *, steps: int = 8, rivals: int = len(SEEDS), seed: int = 0) -> Curve:
    """See `curve`: ending at the mean colour."""
    return curve(case, "deletion", steps=steps, rivals=rivals, seed=seed)
