"""Does relevance get lost on its way? The sum of a method that accounts for all of a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..attribution.lrp.conservation import ALLOWED, Conservation
from .badge import Evidence


@dataclass(frozen=True)
class Conserved(Evidence):
    """What pixels, biases and stabilisers hold of a score, in logits, each counted where it happens (Bach et al. 2015,
    section 2); `set_aside`: what did not pass the condition. `error` is the remainder as a share of the score."""

    name: ClassVar[str] = "completeness"
    composite: str
    through: str | None
    score: float
    pixels: float
    biases: float
    stabilisers: float
    set_aside: float
    error: float
    said: str
    threshold: float = ALLOWED

    @property
    def passed(self) -> bool:
        return self.error <= self.threshold

    @property
    def sentence(self) -> str:
        return f"{self.said[0].upper()}{self.said[1:]}"


def conserved(found: Conservation) -> Conserved:
    """The evidence of a map that carries such sums; nothing is computed anew."""
    return Conserved(
        found.composite,
        found.through,
        found.score,
        found.pixels,
        found.biases,
        found.stabilisers,
        found.set_aside,
        found.error,
        found.sentence,
    )
