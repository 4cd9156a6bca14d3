"""How a path from a baseline to an image is integrated: rules of fixed places as data, and one that looks for places.

A path integral of gradients is a weighted sum over places in [0, 1]. ReLU networks are piecewise linear, so that the
slope along the path jumps: many evenly spaced places do better than a rule made for smooth functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS = 50
"""Places of a fixed rule, and intervals of the ledger's path before it is refined."""
ERROR = 1.0
"""Where the adaptive rule stops: the sum's error in percent of F(x) - F(baseline)."""
ROW_ERROR = 2.0
"""The same for every row of the credit ledger."""
LIMIT = 400
"""Most gradients that an adaptive rule computes."""
START = 49
"""Evenly spaced places, both ends among them, that the adaptive rule begins with."""
WORTH = 0.1
"""Intervals that miss less than this share of what the worst one misses are not halved yet."""


def midpoint(count: int) -> tuple[Floats, Floats]:
    """Places and weights: the middles of `count` equal intervals."""
    return (np.arange(count) + 0.5) / count, np.full(count, 1 / count)


def gauss_legendre(count: int) -> tuple[Floats, Floats]:
    """Places and weights of Gauss and Legendre: exact for polynomials up to degree 2 `count` - 1."""
    places, weights = leggauss(count)
    return (places + 1) / 2, weights / 2


RULES: dict[str, Callable[[int], tuple[Floats, Floats]]] = {"midpoint": midpoint, "gauss-legendre": gauss_legendre}
"""Rules of fixed places by name: a number of places -> the places in [0, 1] and their weights, which add up to 1."""

ADAPTIVE = "adaptive"


@dataclass(frozen=True)
class Integration:
    """How a path was integrated.

    `points`: places of the sum; `gradients`: how many were computed for it; `wanted`: the error in percent at which
    the adaptive rule stops, and `met` whether it got there before its limit, both None for a rule of fixed places;
    `moved`: relative L2 distance between the map with half the places and with all, where that cost nothing.
    """

    rule: str
    points: int
    gradients: int
    wanted: float | None = None
    met: bool | None = None
    moved: float | None = None

    @property
    def words(self) -> str:
        """Rule and work in a sentence, which says so where the limit came first."""
        if self.wanted is None:
            return f"The {self.rule} rule with {self.points} points."
        if self.met:
            return f"The {self.rule} rule: the error fell below {self.wanted:g}% with {self.points} points."
        return (
            f"The {self.rule} rule: the limit of {self.gradients} gradients was reached before the error fell below "
            f"{self.wanted:g}%."
        )

    def as_dict(self) -> dict[str, Any]:
        """Its numbers and its sentence, ready for JSON."""
        return {**asdict(self), "words": self.words}


def joined(parts: list[Integration]) -> Integration | None:
    """Integrations from several baselines as one: work added up, the largest movement; None where there is none."""
    if not parts:
        return None
    moved = [part.moved for part in parts if part.moved is not None]
    return Integration(
        parts[0].rule,
        sum(part.points for part in parts),
        sum(part.gradients for part in parts),
        parts[0].wanted,
        None if parts[0].met is None else all(part.met for part in parts),
        max(moved) if moved else None,
    )


class Partition:
    """A path cut into intervals whose ends are known: the score F and its slope dF/da at every place a.

    The trapezoid sum of the slopes misses dF - h * mean slope in every interval; F comes free with each gradient, so
    the interval that misses most is known and is halved next. Weights are never tuned to force the sum.
    """

    def __init__(self, start: int = START) -> None:
        grid = np.linspace(0, 1, start)
        self._next = np.concatenate([grid[::2], grid[1::2]])  # every second place first: half of them are a rule too
        self.places, self.scores, self.slopes = (np.zeros(0) for _ in range(3))

    def __len__(self) -> int:
        return len(self.places)

    def next(self, count: int) -> Floats:
        """At most `count` places that are to be computed now: what is left of the start, then middles of intervals."""
        if len(self._next):
            ready: Floats = self._next[:count]
            return ready
        return self._worst(count)

    def add(self, places: Floats, scores: Floats, slopes: Floats) -> None:
        """What was found at places that `next` named."""
        self._next = self._next[len(places) :]
        self.places = np.append(self.places, places)
        self.scores = np.append(self.scores, scores)
        self.slopes = np.append(self.slopes, slopes)

    @property
    def started(self) -> bool:
        """Whether every place of the start is known."""
        return not len(self._next)

    def misses(self) -> tuple[Floats, Floats]:
        """Left ends (sorted) of the intervals, closed by the path's end, and dF - h * mean slope of every interval."""
        order = np.argsort(self.places)
        ends, scores, slopes = self.places[order], self.scores[order], self.slopes[order]
        return ends, np.diff(scores) - np.diff(ends) * (slopes[1:] + slopes[:-1]) / 2

    def _worst(self, count: int) -> Floats:
        ends, misses = self.misses()
        sizes = np.abs(misses)
        worst = np.argsort(-sizes, kind="stable")[:count]
        worst = worst[sizes[worst] >= WORTH * sizes[worst[0]]]
        middles: Floats = (ends[worst] + ends[worst + 1]) / 2
        return middles

    @property
    def error(self) -> float:
        """What the sum misses in percent of F(1) - F(0)."""
        total = self.scores[self.places == 1][0] - self.scores[self.places == 0][0]
        return float(100 * abs(self.misses()[1].sum()) / abs(total)) if total else float("inf")

    def weights(self, first: int | None = None) -> Floats:
        """The trapezoid rule's weight of every place, in the order in which they were added; of the `first` so many
        places alone (the others get 0) for a coarser rule."""
        count = len(self) if first is None else first
        order = np.argsort(self.places[:count])
        lengths = np.diff(self.places[:count][order])
        weights = np.zeros(len(self))
        weights[order[:-1]] += lengths / 2
        weights[order[1:]] += lengths / 2
        return weights
