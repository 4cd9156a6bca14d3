"""Do the values add up to what they promise to explain?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..attribution import METHODS
from .badge import Evidence
from .case import Case
from .conservation import Conserved, conserved

THRESHOLD = 0.01
"""Largest error that passes, as a share of |score - baseline score|."""


@dataclass(frozen=True)
class Completeness(Evidence):
    """The sum of a map's values beside score - baseline score, in logits. `promised`: whether the method means them to
    be equal (Sundararajan et al. 2017, completeness); `error` is relative, None where nothing is promised."""

    name: ClassVar[str] = "completeness"
    label: str
    promised: bool
    total: float
    difference: float | None
    error: float | None
    threshold: float = THRESHOLD

    @property
    def passed(self) -> bool | None:
        return None if self.error is None else self.error <= self.threshold

    @property
    def sentence(self) -> str:
        if self.error is None or self.difference is None:
            return f"{self.label} does not promise that its values add up to the score, so there is no sum to check."
        found = f"All values add up to {self.total:+.3f} logits and should give {self.difference:+.3f}"
        verdict = "closes" if self.passed else "does not close"
        return f"{found}: the sum {verdict}, its error is {self.error:.2%} (at most {self.threshold:.0%} is allowed)."


def completeness(case: Case) -> Completeness | Conserved:
    """Compares numbers that the attribution carries; nothing is computed anew."""
    known = case.attribution
    case.report(1, 1)
    if known.conservation is not None:
        return conserved(known.conservation)
    difference = None if known.baseline_score is None else known.score - known.baseline_score
    return Completeness(METHODS[known.method].label, known.complete, known.total, difference, known.completeness_error)
