"""Reasons to doubt an answer, in one sentence: a photo unlike the training classes, or a low probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..drawing.numbers import percent, short
from ..inference.classifier import Answer, Classifier
from ..inference.trace import Trace
from .ood import Observations, features_of, head_read
from .ood_file import Known

UNSURE = 0.5
"""An answer below this probability is more likely wrong than right, by the network's own word."""


@dataclass(frozen=True)
class Doubt:
    """What speaks against the deepest trained head's first answer. `sentence` is empty where nothing does.

    `unlike`: whether the photo is unlike the training classes, None where nobody measured what they look like; `share`:
    of new photos of these classes, how many are less unlike. `unsure`: whether the probability is low.
    """

    unlike: bool | None
    share: float | None
    unsure: bool
    sentence: str


def unsure(probabilities: Sequence[float]) -> bool:
    """Whether the largest of these probabilities leaves the answer open."""
    return max(probabilities) < UNSURE


def doubt(classifier: Classifier, logits: Tensor, features: Tensor, known: Known | None) -> Doubt:
    """About one photo: `logits` (K,) of the deepest trained head and the last module's `features` (C,) (`ood`).

    `known`: what the checkpoint's classes look like to it, where that was measured.
    """
    answers = classifier.top(logits, head_read(classifier), 2)
    open_ = unsure([answer.probability for answer in answers])
    share = known.share_below(Observations(features[None], logits[None], logits.new_zeros(1).long())) if known else None
    unlike = None if known is None or share is None else share >= known.limit
    return Doubt(unlike, share, open_, _sentence(bool(unlike), share, open_, answers, len(logits)))


def doubt_of(classifier: Classifier, trace: Trace, known: Known | None) -> Doubt | None:
    """About the first photo of a trace, without a forward pass; None where no head was trained."""
    if not classifier.trained_heads:
        return None
    return doubt(classifier, trace.logits(head_read(classifier))[0], features_of(trace)[0], known)


def _sentence(unlike: bool, share: float | None, open_: bool, answers: Sequence[Answer], classes: int) -> str:
    first = f"{short(answers[0].label)}, {percent(answers[0].probability)}"
    if unlike and share is not None:
        also = f", and unsure ({first})" if open_ else ""
        most = "all" if share == 1 else "more than 99% of" if share > 0.99 else f"{percent(share)} of"
        return (
            f"Unlike anything it was trained on{also}: {most} new photos of its {classes} classes are more like its "
            "training photos than this one, so the answers may mean nothing."
        )
    if open_:
        others = f", then {short(answers[1].label)}, {percent(answers[1].probability)}" if len(answers) > 1 else ""
        return f"Unsure: its first answer is {first}{others}."
    return ""
