"""Numbers that depend on chance: found once per seed, told as a mean with its spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

SEEDS: tuple[int, ...] = (0, 1, 2, 3, 4)
"""What random numbers start from, unless said otherwise: every check is made once with each."""


@dataclass(frozen=True)
class Spread:
    """One number per seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return mean(self.values)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds (of a sample: divided by their number less one); 0 for a single one."""
        return stdev(self.values) if len(self.values) > 1 else 0.0

    def words(self, form: str = ".2f") -> str:
        """`0.31 ± 0.04 over 5 seeds`, each number in Python's format."""
        if len(self.values) == 1:
            return f"{self.mean:{form}} with a single seed"
        return f"{self.mean:{form}} ± {self.deviation:{form}} over {len(self.values)} seeds"

    def as_dict(self) -> dict[str, Any]:
        """Mean, deviation and the values, ready for JSON."""
        return {"mean": self.mean, "deviation": self.deviation, "values": list(self.values)}


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """The spread of the numbers there are; None where there is none."""
    known = tuple(value for value in values if value is not None)
    return Spread(known) if known else None
