"""What a check of a map says: numbers, a verdict, and one sentence; and the badge that sums several up."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .spread import Spread


class Evidence(abc.ABC):
    """One check of one map. The subclasses are frozen dataclasses whose fields are the numbers, as plain data."""

    name: ClassVar[str]

    @property
    @abc.abstractmethod
    def passed(self) -> bool | None:
        """The verdict, derived from the numbers; None where the method promises nothing that could be checked."""

    @property
    @abc.abstractmethod
    def sentence(self) -> str:
        """What was found and what it means, with its numbers, in words."""

    @property
    def spread(self) -> Spread | None:
        """The check's number, once per seed, where chance is involved; else None."""
        return None

    def as_dict(self) -> dict[str, Any]:
        """Name, verdict, sentence and numbers, ready for JSON; where chance is involved, the spread too."""
        numbers = dataclasses.asdict(self)  # type: ignore[call-overload]
        said = {"name": self.name, "passed": self.passed, "sentence": self.sentence, "numbers": numbers}
        return said if self.spread is None else {**said, "spread": self.spread.as_dict()}


@dataclass(frozen=True)
class NoVerdict(Evidence):
    """A check that a map gives nothing to: it is the same everywhere. `check`: which one; `value`: what the map is."""

    check: str
    value: float

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.check

    @property
    def passed(self) -> None:
        return None

    @property
    def sentence(self) -> str:
        return (
            f"No verdict: the map is empty (it is {self.value:.3g} everywhere), so it ranks nothing and there is "
            "nothing to compare."
        )


@dataclass(frozen=True)
class Badge:
    """The checks that were run on one map, in order. `empty`: whether the map is the same everywhere."""

    evidence: tuple[Evidence, ...]
    empty: bool = False

    @property
    def failed(self) -> tuple[Evidence, ...]:
        """The checks that the map failed."""
        return tuple(found for found in self.evidence if found.passed is False)

    @property
    def state(self) -> str:
        """In a few words: `passes 3 of 3 checks`, `fails randomisation`, `not checked`, `no verdict: ...`."""
        if self.empty:
            return "no verdict: the map is empty"
        verdicts = [found.passed for found in self.evidence if found.passed is not None]
        if not verdicts:
            return "not checked"
        if self.failed:
            return f"fails {_listed([found.name for found in self.failed])}"
        return f"passes {len(verdicts)} of {len(verdicts)} checks"

    @property
    def words(self) -> str:
        """What failed, in sentences; empty where nothing did."""
        return " ".join(found.sentence for found in self.failed)

    def find(self, name: str) -> Evidence | None:
        """The evidence of that check, or None where it was not run."""
        return next((found for found in self.evidence if found.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """State, words and every piece of evidence, ready for JSON."""
        return {"state": self.state, "failed": self.words, "evidence": [found.as_dict() for found in self.evidence]}


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
