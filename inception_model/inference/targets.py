"""What an explanation explains: one class's logit, or the difference of two."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..architecture.labels import Label

FORMS = "auto, an index, a WordNet id, the words of a class, or a contrast of two such as 3-7"
"""How a target can be written, for messages and help texts."""

AUTO = "auto"
"""The class with the largest logit: what is explained where nobody chose."""


class TargetError(ValueError):
    """The text names no class, or more than one; the message says which ones it could be."""


@dataclass(frozen=True)
class Target:
    """Class `index`, or, as a contrast, logit of `index` minus logit of `minus`. `name`: in words."""

    index: int
    minus: int | None = None
    name: str = ""

    def score(self, logits: Tensor) -> Tensor:
        """(N, K) -> (N,). It is linear, so it turns a weight matrix (C, K) into the weights (C,) of the target, too."""
        value = logits[:, self.index]
        return value if self.minus is None else value - logits[:, self.minus]

    @classmethod
    def parse(cls, text: str, labels: Sequence[Label], logits: Tensor) -> Target:
        """Reads what FORMS says; `auto` is the best class of `logits` (K,) or (1, K), which also tell the classes.

        Raises TargetError that lists the candidates. Words may hold hyphens: a text that names a class as a whole
        is that class, else it is split at the first hyphen that leaves a class on either side.
        """
        finder = _Finder(labels, logits.flatten())
        text = text.strip()
        try:
            index = finder.find(text)
            return cls(index, None, finder.name(index))
        except TargetError as error:
            refusal = error
        for place in (i for i, letter in enumerate(text) if letter == "-" and 0 < i < len(text) - 1):
            first, second = finder.attempt(text[:place]), finder.attempt(text[place + 1 :])
            if isinstance(first, int) and isinstance(second, int):
                if first == second:
                    raise TargetError(f"both sides of the contrast {text!r} are class {first}: its score is always 0")
                return cls(first, second, f"{finder.name(first)} − {finder.name(second)}")
            # With one good side the text was meant as a contrast, so the other side is what is wrong.
            if isinstance(first, int) and not isinstance(second, int):
                refusal = second
            elif isinstance(second, int) and not isinstance(first, int):
                refusal = first
        raise refusal


@dataclass(frozen=True)
class _Finder:
    """Finds one class by its index, WordNet id or words."""

    labels: Sequence[Label]
    logits: Tensor

    def name(self, index: int) -> str:
        return self.labels[index].words if index < len(self.labels) else f"class {index}"

    def attempt(self, text: str) -> int | TargetError:
        try:
            return self.find(text)
        except TargetError as error:
            return error

    def find(self, text: str) -> int:
        text, classes = text.strip(), len(self.logits)
        if text.lower() == AUTO:
            return int(self.logits.argmax())
        if text.isdecimal():
            if int(text) >= classes:
                raise TargetError(f"class {text} is not there; allowed: 0 to {classes - 1}")
            return int(text)
        wanted = " ".join(text.lower().split())
        labels = self.labels[:classes]
        for matches in (
            [label for label in labels if wanted == label.wnid.lower()],
            [label for label in labels if wanted in (label.words.lower(), *_synonyms(label))],
            [label for label in labels if wanted and wanted in label.words.lower()],
        ):
            if len(matches) == 1:
                return matches[0].index
            if matches:
                raise TargetError(f"{text!r} could be {_listed(matches)}: give the index or the WordNet id")
        raise TargetError(f"no class {text!r}{self._near(wanted)}; a target is {FORMS} (classes 0 to {classes - 1})")

    def _near(self, wanted: str) -> str:
        known = {synonym: label for label in self.labels for synonym in _synonyms(label)}
        near = {known[word].index: known[word] for word in difflib.get_close_matches(wanted, known, n=3)}
        return f", did you mean {_listed(list(near.values()))}?" if near else ""


def _synonyms(label: Label) -> list[str]:
    return [part.strip().lower() for part in label.words.split(",")]


def _listed(labels: Sequence[Label], most: int = 6) -> str:
    shown = [f"{label.index} ({label.words})" for label in labels[:most]]
    return ", ".join(shown) + (f" and {len(labels) - most} more" if len(labels) > most else "")
