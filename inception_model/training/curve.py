"""How a training went: accuracy of the three heads on held-out images, from the log of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..architecture.spec import HEADS, HeadName

MAX_POINTS = 500
"""Points of a curve that a checkpoint keeps; longer ones are thinned evenly, with both ends."""


@dataclass(frozen=True)
class TrainingCurve:
    """Top-1 accuracy of one head over a training: (step, share of held-out images), in order."""

    head: HeadName
    points: tuple[tuple[int, float], ...]


def training_curves(log: Iterable[Mapping[str, Any]]) -> tuple[TrainingCurve, ...]:
    """The lines of a run's `log.jsonl` -> a curve per head: those that carry `held_out` measurements.

    A run that went on from an earlier step has measured some steps again: the later line counts.
    """
    measured = {int(line["step"]): line["held_out"] for line in log if line.get("held_out")}
    curves = []
    for head in HEADS:
        points = [(step, float(found[head]["top1"])) for step, found in sorted(measured.items()) if head in found]
        if points:
            curves.append(TrainingCurve(head, tuple(thinned(points))))
    return tuple(curves)


def thinned(points: list[tuple[int, float]], most: int = MAX_POINTS) -> list[tuple[int, float]]:
    """At most so many points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return points
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]
