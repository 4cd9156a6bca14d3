"""A full look (three heads and every map) beside torchvision's bare forward pass, on one image at 224x224."""

from __future__ import annotations

import torch
import torchvision

from inception_model.checkpoints.store import load
from inception_model.inference.classifier import build
from inception_model.inference.trace import capture

from .timing import interleaved, print_machine, print_ratios

TITLE = "A full look at 224x224 beside torchvision's eager GoogLeNet (float32; on a CPU)"
ROUNDS = 40


def main() -> None:
    """Prints one table; judging it is the reader's."""
    checkpoint = load("tiny-imagenet")
    classifier, rough = build(checkpoint, "cpu"), build(checkpoint, "cpu", "bfloat16")
    theirs = torchvision.models.googlenet(weights=None, init_weights=False).eval().requires_grad_(False)
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def bare() -> torch.Tensor:
        with torch.inference_mode():
            return theirs(x)  # type: ignore[no-any-return]

    contestants = {
        "torchvision, main logits only": bare,
        "ours, three heads": lambda: classifier.heads_of(x),
        "ours, full look": lambda: capture(classifier, x),
        "ours, full look in bfloat16": lambda: capture(rough, x),
    }
    print_machine()
    print_ratios(interleaved(contestants, rounds=ROUNDS), "torchvision, main logits only")
