"""What the heads say about one photo, as plain data: the answer of the command `predict` and of the server's API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import Tensor

from ..architecture.network import Heads
from ..inference.classifier import Classifier
from .doubt import doubt
from .ood import head_read
from .ood_file import Known

TOP = 5
"""Classes per head that are listed where nobody says how many."""


def prediction(
    classifier: Classifier, heads: Heads, features: Tensor, count: int, known: Known | None
) -> dict[str, Any]:
    """`heads`: whether each was trained, and its `count` most probable classes; `doubt`: what speaks against them.

    Of one photo: its logits, and the last module's channel averages (1, C) (`ood`).
    """
    answers: dict[str, Any] = {}
    for name, logits in heads._asdict().items():
        if logits is None:
            continue
        trained = name in classifier.trained_heads
        # An untrained head's logits are noise: they are never listed as a prediction.
        top = classifier.top(logits[0], name, count) if trained else []
        answers[name] = {"trained": trained, "top": [asdict(answer) for answer in top]}
    found = None
    if classifier.trained_heads:
        found = doubt(classifier, heads.of(head_read(classifier))[0], features[0], known)
    return {"doubt": None if found is None else asdict(found), "heads": answers}
