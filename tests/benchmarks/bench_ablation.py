"""One branch switched off, from a known Trace, beside a whole forward pass; on one image at 224x224."""

from __future__ import annotations

import torch

from inception_model.analysis.ablation import Ablation, ablate
from inception_model.checkpoints.store import load
from inception_model.inference.classifier import build
from inception_model.inference.trace import capture

from .timing import interleaved, print_machine, print_ratios

TITLE = "Switching off one branch beside a forward pass of three heads (float32, CPU)"
PARTS = ("3a:5x5", "4a:5x5", "4e:5x5", "5a:pool", "5b:1x1")
ROUNDS = 20


def main() -> None:
    """Prints one table; an ablation of 4e or later should take less than half of the forward pass."""
    classifier = build(load("tiny-imagenet"), "cpu")
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    trace = capture(classifier, x)
    contestants = {"forward pass": lambda: classifier.heads_of(x)}
    for part in PARTS:
        ablation = Ablation.parse([part], classifier.network.spec)
        contestants[f"{part} off"] = lambda ablation=ablation: ablate(classifier, trace, ablation)  # type: ignore[misc]
    print_machine()
    print_ratios(interleaved(contestants, rounds=ROUNDS), "forward pass")
