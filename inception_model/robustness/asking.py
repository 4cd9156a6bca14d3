"""One photo's attack as commands and pages ask for it: which answer, where to, by how much, and the way through."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..analysis.probes import Probes
from ..architecture.spec import HeadName
from ..images.disturbances import LEVELS
from ..inference.classifier import Answer, Classifier
from ..progress import Progress
from .adversarial import Adversarial, change_within, check_bound, smallest_change
from .depth import Depth, followed
from .pgd import DEFAULT_NORM, STEPS, Goal, Norm, logits_of


@dataclass(frozen=True)
class AttackQuestion:
    """`target`: the class that is to become the head's answer, None for any other; `bound` in 8-bit levels, None for
    the smallest. A bound that is impossible raises ValueError."""

    head: HeadName
    target: int | None = None
    norm: Norm = DEFAULT_NORM
    bound: float | None = None
    steps: int = STEPS

    def __post_init__(self) -> None:
        if self.bound is not None:
            check_bound(self.norm, self.bound)


@dataclass(frozen=True, eq=False)
class Fooled:
    """What was found, the head's answers to both pictures, and both followed through the network."""

    question: AttackQuestion
    change: Adversarial
    before: Answer
    after: Answer
    depth: Depth

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without the pixels."""
        answers = {"before": self.before, "after": self.after}
        return {
            "head": self.question.head,
            **{
                name: {"index": each.index, "label": each.label, "probability": each.probability}
                for name, each in answers.items()
            },
            **self.change.as_dict(),
            "depth": self.depth.as_dict(),
        }


def pixels_of(square: Image.Image) -> Tensor:
    """The network's square -> (1, 3, S, S) from 0 to 1, float64: whole levels of 255."""
    levels = torch.from_numpy(np.array(square.convert("RGB"))).permute(2, 0, 1).unsqueeze(0)
    return levels.double() / LEVELS


def picture_of(pixels: Tensor) -> Image.Image:
    """(1, 3, S, S) from 0 to 1 -> a picture of 8 bits."""
    levels = (pixels[0] * LEVELS).round().clamp(0, LEVELS).to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def enlarged(change: Tensor) -> tuple[Image.Image, float]:
    """A change (1, 3, S, S) in levels as a picture about grey, and how many times it is enlarged there: the largest
    value is black or white."""
    largest = float(change.abs().max())
    times = (LEVELS / 2) / largest if largest else 1.0
    return picture_of(0.5 + change * times / LEVELS), times


def fool(
    classifier: Classifier,
    square: Image.Image,
    question: AttackQuestion,
    probes: Probes | None = None,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Fooled:
    """Attacks one head's answer to the network's square. Raises ValueError where there is nothing to be turned."""
    if classifier.checkpoint.spec.classes < 2:
        raise ValueError("a network with a single class has no other answer to give")
    logits, clean = logits_of(classifier, question.head), pixels_of(square)
    with torch.no_grad():
        before = classifier.top(logits(clean)[0], question.head, 1)[0]
    goal = Goal(before.index, question.target)
    if question.bound is None:
        found = smallest_change(
            logits, clean, goal, question.norm, question.steps, progress=progress, cancel=cancel
        )  # fmt: skip
    else:
        found = change_within(
            logits, clean, goal, question.norm, question.bound, question.steps, progress=progress, cancel=cancel
        )  # fmt: skip
    with torch.no_grad():
        after = classifier.top(logits(found.changed)[0], question.head, 1)[0]
    return Fooled(question, found, before, after, followed(classifier, clean, found.changed, question.head, probes))
