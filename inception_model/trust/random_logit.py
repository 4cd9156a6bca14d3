"""Random logit (Sixt et al. 2020): is the map of another class another map?

A map that explains why a head says this class must change when it is asked about a class that was drawn at random. One
that hardly does shows what the network looks at whatever it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ..attribution import METHODS
from ..inference.targets import Target
from .badge import Evidence
from .case import Case, generator
from .randomisation import rank_correlation
from .spread import SEEDS, Spread, spread_of

THRESHOLD = 0.5
"""Similarity from which a map fails. Measured with the bundled network (main head, five classes) on four shipped
photos: gradient and input x gradient -0.13 to 0.20, GradCAM at 5b -0.42 to 0.21, guided GradCAM 0.62 to 0.83,
deconvolution 0.97 to 0.99, guided backprop 1.00 (of which Sixt et al. show that it loses the class)."""


@dataclass(frozen=True)
class RandomLogit(Evidence):
    """Spearman's rank correlation of the map with those of classes drawn at random, of the values with their signs.

    `classes`: what was asked instead, one per seed. `similarities`: one per class; None where its map is the same
    everywhere.
    """

    name: ClassVar[str] = "random logit"
    label: str
    classes: tuple[str, ...]
    similarities: tuple[float | None, ...]
    threshold: float = THRESHOLD

    @property
    def spread(self) -> Spread | None:
        return spread_of(self.similarities)

    @property
    def passed(self) -> bool | None:
        return None if self.spread is None else self.spread.mean < self.threshold

    @property
    def sentence(self) -> str:
        if self.spread is None:
            return "No verdict: the maps of other classes are empty, so there is nothing to compare with."
        found = (
            "Asked about another class, drawn at random, the map stays alike with a rank correlation of "
            f"{self.spread.words()}"
        )
        if self.passed:
            return f"{found} (below {self.threshold:.2f}): it speaks of this class."
        return (
            f"{found} (must be below {self.threshold:.2f}): {self.label} draws nearly the same whatever it is asked, "
            "so the map shows what the network looks at and not what speaks for this class."
        )


def other_targets(target: Target, classes: int, seeds: Sequence[int]) -> tuple[Target, ...]:
    """A class per seed, or a contrast of two for a contrast: none that the target names, and none twice.

    Fewer than seeds where there are not so many classes.
    """
    width = 1 if target.minus is None else 2
    used = {target.index, target.minus}
    drawn: list[Target] = []
    for seed in seeds:
        order = torch.randperm(classes, generator=generator(seed)).tolist()
        free = [index for index in order if index not in used][:width]
        if len(free) < width:
            break
        used.update(free)
        drawn.append(Target(free[0], *free[1:]))
    return tuple(drawn)


def random_logit(case: Case, *, seeds: Sequence[int] = SEEDS, threshold: float = THRESHOLD) -> RandomLogit:
    """Makes the map of one other class per seed; head, layer, baseline and options stay what they were."""
    known, labels = case.attribution, case.classifier.checkpoint.labels
    others = other_targets(known.target, case.classifier.checkpoint.spec.classes, seeds)
    found: list[float | None] = []
    for number, other in enumerate(others):
        case.report(number, len(others))
        remade = replace(case, attribution=replace(known, target=other)).again().heatmap
        found.append(rank_correlation(known.heatmap, remade))
    case.report(len(others), len(others))
    names = tuple(
        " − ".join(labels[index].words if index < len(labels) else f"class {index}" for index in _indices(other))
        for other in others
    )
    return RandomLogit(METHODS[known.method].label, names, tuple(found), threshold)


def _indices(target: Target) -> tuple[int, ...]:
    return (target.index,) if target.minus is None else (target.index, target.minus)
