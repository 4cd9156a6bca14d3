"""One disturbance in all its strengths: what the heads say, and where an answer flips."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..architecture.spec import HeadName
from ..images.disturbances import DISTURBANCES, SEED, Disturbance, disturbed
from ..images.surroundings import Surroundings
from ..inference.classifier import Classifier
from ..progress import Progress, report

BATCH = 8


@dataclass(frozen=True)
class Flip:
    """The first strength on one side of the clean one at which a head's answer is another: its class there."""

    head: HeadName
    strength: float
    index: int
    probability: float


@dataclass(frozen=True, eq=False)
class Strengths:
    """What the trained heads say of one photo at every strength of a disturbance.

    `probabilities`: head -> (S, K); `answers`: head -> the S classes with the largest logits.
    """

    name: str
    probabilities: dict[HeadName, Tensor]
    answers: dict[HeadName, tuple[int, ...]]

    @property
    def kind(self) -> Disturbance:
        """The disturbance: its scale and what it is called."""
        return DISTURBANCES[self.name]

    def clean(self, head: HeadName) -> int:
        """The head's answer to the photo as it is."""
        return self.answers[head][self.kind.start]

    def followed(self, head: HeadName) -> tuple[float, ...]:
        """The probability of that answer at every strength."""
        return tuple(self.probabilities[head][:, self.clean(head)].tolist())

    def flips(self, head: HeadName) -> tuple[Flip, ...]:
        """Where the answer is first another one, going down the scale and going up; the nearer one first."""
        start, found = self.kind.start, []
        for steps in (range(start - 1, -1, -1), range(start + 1, len(self.kind.strengths))):
            place = next((step for step in steps if self.answers[head][step] != self.clean(head)), None)
            if place is not None:
                found.append(place)
        return tuple(self._flip(head, place) for place in sorted(found, key=lambda place: abs(place - start)))

    def _flip(self, head: HeadName, place: int) -> Flip:
        index = self.answers[head][place]
        return Flip(head, self.kind.strengths[place], index, float(self.probabilities[head][place, index]))

    def as_dict(self, classifier: Classifier) -> dict[str, Any]:
        """Plain data: per head its answer, that answer's probability at every strength, and the flips."""
        label = classifier.checkpoint.label
        return {
            "strengths": list(self.kind.strengths),
            "clean": self.kind.clean,
            "heads": {
                head: {
                    "answer": label(self.clean(head)).words,
                    "probabilities": list(self.followed(head)),
                    "answers": list(answers),
                    "flips": [
                        {
                            "strength": flip.strength,
                            "index": flip.index,
                            "label": label(flip.index).words,
                            "probability": flip.probability,
                        }
                        for flip in self.flips(head)
                    ],
                }
                for head, answers in self.answers.items()
            },
        }


def ask_strengths(
    classifier: Classifier,
    around: Surroundings,
    name: str,
    seed: int = SEED,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Strengths:
    """Every strength of one disturbance, the others absent. Raises KeyError for an unknown one; may be cancelled."""
    if name not in DISTURBANCES:
        raise KeyError(f"unknown disturbance {name!r}; allowed: {', '.join(DISTURBANCES)}")
    scale, tensor = DISTURBANCES[name].strengths, classifier.preprocessing.tensor
    logits: dict[HeadName, list[Tensor]] = {head: [] for head in classifier.trained_heads}
    for begin in range(0, len(scale), BATCH):
        report(begin, len(scale), progress, cancel)
        part = scale[begin : begin + BATCH]
        heads = classifier.heads_of(torch.cat([tensor(disturbed(around, {name: value}, seed)) for value in part]))
        for head, rows in logits.items():
            rows.append(heads.of(head))
    report(len(scale), len(scale), progress, cancel)
    found = {head: torch.cat(rows) for head, rows in logits.items()}
    return Strengths(
        name,
        {head: classifier.probabilities(rows, head) for head, rows in found.items()},
        {head: tuple(rows.argmax(dim=1).tolist()) for head, rows in found.items()},
    )
