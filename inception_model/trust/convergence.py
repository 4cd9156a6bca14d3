"""How far is a map from what its method would find with more work: more points on a path, or other random numbers?

A sum can close by chance, or by weights that are tuned to it, while the map is still far from its limit: how much the
map moves is asked apart from completeness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..attribution import METHODS, Attribution
from .badge import Evidence
from .case import Case
from .spread import SEEDS, Spread

THRESHOLD = 0.05
"""Largest movement from n to 2n points that passes, as a share of the map's norm."""

SPREAD_THRESHOLD = 0.5
"""Largest movement from seed to seed that passes, as a share of the map's norm: as for noise that nobody sees."""

MOST_POINTS = 500
"""From more points the map is compared with half of them, not with twice as many."""


@dataclass(frozen=True)
class Convergence(Evidence):
    """How much a map moves, in relative L2 distance of its values: from `points` to `more` points of its path, or on
    average over starts of its random numbers (`distances`: of each one's map from the mean of all). `moved` is None for
    a method that approximates nothing."""

    name: ClassVar[str] = "convergence"
    label: str
    moved: float | None
    points: int | None = None
    more: int | None = None
    distances: tuple[float, ...] = ()
    threshold: float = THRESHOLD

    @property
    def passed(self) -> bool | None:
        return None if self.moved is None else self.moved <= self.threshold

    @property
    def sentence(self) -> str:
        if self.moved is None:
            return f"{self.label} neither integrates along a path nor draws random numbers: there is nothing to repeat."
        verdict = "settled" if self.passed else "not settled"
        allowed = f"at most {self.threshold:.0%} is allowed"
        if self.distances:
            return (
                "From one start of the random numbers to the next the map changes: it lies "
                f"{Spread(self.distances).words('.1%')} of its norm from the mean of all. It is {verdict} ({allowed})."
            )
        return (
            f"From {self.points} to {self.more} points of the path the map moves by {self.moved:.1%} of its norm: it "
            f"is {verdict} ({allowed})."
        )


def distance(values: Tensor, reference: Tensor) -> float:
    """Relative L2 distance of two maps' values."""
    size = float(reference.double().norm())
    return float((values.double() - reference.double()).norm()) / size if size else 0.0


def extra_images(attribution: Attribution) -> int:
    """Images whose gradient the check needs: twice the map's own for a rule of fixed places, four more maps for a
    sampled method, none for others or where the movement came free."""
    options, path = attribution.options, attribution.integration
    if path is not None:
        return 0 if path.moved is not None else path.points * (2 if options["steps"] <= MOST_POINTS else 1)
    return (len(SEEDS) - 1) * options["samples"] if "seed" in options else 0


def extra_maps(method: str) -> int:
    """How many times a map's own work the check takes, by the method's name; an adaptive rule needs none."""
    options = METHODS[method].defaults
    return 2 if "rule" in options else len(SEEDS) - 1 if "seed" in options else 0


def convergence(case: Case) -> Convergence:
    """For an adaptive rule the movement by its last doubling, which it knows; for fixed places the distance to a map
    with twice as many; for a sampled method the distances of five maps from their mean."""
    known = case.attribution
    label, path = METHODS[known.method].label, known.integration
    case.report(0, len(SEEDS))
    if path is not None:
        found = _on_the_path(case, label)
    elif "seed" in known.options:
        found = _over_seeds(case, label)
    else:
        found = Convergence(label, None)
    case.report(len(SEEDS), len(SEEDS))
    return found


def _on_the_path(case: Case, label: str) -> Convergence:
    known = case.attribution
    path = known.integration
    assert path is not None
    if path.moved is not None:
        return Convergence(label, path.moved, (path.points + 1) // 2, path.points)
    steps = known.options["steps"]
    other = steps * 2 if steps <= MOST_POINTS else steps // 2
    again = replace(case, attribution=replace(known, options={**known.options, "steps": other})).again()
    coarse, fine = (known, again) if other > steps else (again, known)
    return Convergence(label, distance(coarse.values, fine.values), min(steps, other), max(steps, other))


def _over_seeds(case: Case, label: str) -> Convergence:
    known = case.attribution
    maps = [known.values]
    for number in SEEDS[1:]:
        case.report(number, len(SEEDS))
        options = {**known.options, "seed": (known.options["seed"] + number) % 2**31}
        maps.append(replace(case, attribution=replace(known, options=options)).again().values)
    mean = torch.stack(maps).mean(0)
    apart = tuple(distance(values, mean) for values in maps)
    return Convergence(label, Spread(apart).mean, distances=apart, threshold=SPREAD_THRESHOLD)
