"""Integrated gradients and GradCAM beside captum on torchvision's eager GoogLeNet, one image, on the CPU."""

from __future__ import annotations

import warnings

import torch
import torchvision
from captum.attr import IntegratedGradients, LayerGradCam

from inception_model.attribution import explain
from inception_model.checkpoint import load
from inception_model.classifier import build
from inception_model.samples import sample_photo

from .timing import interleaved, print_machine, print_ratios

TITLE = "Attributions at 224x224 beside captum on torchvision's eager GoogLeNet (CPU)"
STEPS, STEP_ROUNDS, MAP_ROUNDS = 50, 5, 30


def main() -> None:
    """Prints one table per method, and how far bfloat16 is from float32; judging them is the reader's."""
    warnings.filterwarnings("ignore", module="captum")
    classifier = build(load("tiny-imagenet"), "cpu")
    theirs = torchvision.models.googlenet(weights=None, init_weights=False).eval()
    x = classifier.prepare(sample_photo("cat").image).contiguous()
    black = classifier.preprocessing.normalise(torch.zeros_like(x))

    def ours(precision: str) -> torch.Tensor:
        options = {"steps": STEPS, "precision": precision}
        return explain(classifier, x, "integrated_gradients", options=options).values

    print_machine()
    reference = "captum on torchvision, float32"
    steps = {
        reference: lambda: IntegratedGradients(theirs).attribute(x, black, target=0, n_steps=STEPS),
        "ours, float32": lambda: ours("network"),
        "ours, bfloat16": lambda: ours("bfloat16"),
    }
    print(f"\nintegrated gradients, {STEPS} steps")
    print_ratios(interleaved(steps, rounds=STEP_ROUNDS, warmup=1), reference)
    full, rough = ours("network"), ours("bfloat16")
    maps = torch.stack([full.sum(0).flatten(), rough.sum(0).flatten()])
    print(
        f"bfloat16 from float32: relative norm {float((rough - full).norm() / full.norm()):.3f}, "
        f"correlation of the maps {float(torch.corrcoef(maps)[0, 1]):.4f}"
    )
    cams = {
        reference: lambda: LayerGradCam(theirs, theirs.inception5b).attribute(x, target=0),
        "ours": lambda: explain(classifier, x, "gradcam", layer="5b"),
    }
    print("\nGradCAM at 5b")
    print_ratios(interleaved(cams, rounds=MAP_ROUNDS), reference)
