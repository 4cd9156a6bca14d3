"""Integrated gradients and GradCAM beside captum, torch-cam and pytorch-grad-cam on torchvision's eager GoogLeNet.

One image on the CPU. Of the packages in requirements-bench.txt those are compared with that are installed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torchvision
from captum.attr import IntegratedGradients, LayerGradCam
from torch import Tensor, nn

from inception_model.attribution import explain
from inception_model.checkpoints.store import load
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import Classifier, build

from .timing import interleaved, print_machine, print_ratios

TITLE = "Attributions at 224x224 beside other packages on torchvision's eager GoogLeNet (CPU)"
STEPS, STEP_ROUNDS, MAP_ROUNDS = 50, 5, 40
OURS = "ours"


def main() -> None:
    """Prints one table per method, and how far bfloat16 is from float32; judging them is the reader's."""
    warnings.filterwarnings("ignore", module="captum")
    classifier = build(load("tiny-imagenet"), "cpu")
    theirs = torchvision.models.googlenet(weights=None, init_weights=False).eval()
    x = classifier.prepare(sample_photo("cat").image).contiguous()
    print_machine()
    integrated_gradients(classifier, theirs, x)
    gradcam(classifier, theirs, x)


def integrated_gradients(classifier: Classifier, theirs: nn.Module, x: Tensor) -> None:
    """50 steps from black, in both precisions."""
    black = classifier.preprocessing.normalise(torch.zeros_like(x))

    def ours(precision: str) -> Tensor:
        options = {"steps": STEPS, "precision": precision}
        return explain(classifier, x, "integrated_gradients", options=options).values

    reference = "captum on torchvision, float32"
    steps = {
        reference: lambda: IntegratedGradients(theirs).attribute(x, black, target=0, n_steps=STEPS),
        f"{OURS}, float32": lambda: ours("network"),
        f"{OURS}, bfloat16": lambda: ours("bfloat16"),
    }
    print(f"\nintegrated gradients, {STEPS} steps")
    print_ratios(interleaved(steps, rounds=STEP_ROUNDS, warmup=1), reference)
    full, rough = ours("network"), ours("bfloat16")
    maps = torch.stack([full.sum(0).flatten(), rough.sum(0).flatten()])
    print(
        f"bfloat16 from float32: relative norm {float((rough - full).norm() / full.norm()):.3f}, "
        f"correlation of the maps {float(torch.corrcoef(maps)[0, 1]):.4f}"
    )


def gradcam(classifier: Classifier, theirs: nn.Module, x: Tensor) -> None:
    """One map at 5b; every package does all that it does for one, ours also the scores that stand beside the map."""
    layer = theirs.get_submodule("inception5b")
    cams: dict[str, Callable[[], object]] = {
        OURS: lambda: explain(classifier, x, "gradcam", layer="5b"),
        "captum on torchvision": lambda: LayerGradCam(theirs, layer).attribute(x, target=0),
    }
    for package, peer in (("torchcam", _torchcam), ("pytorch_grad_cam", _pytorch_grad_cam)):
        try:
            cams[f"{package} on torchvision"] = peer(theirs, layer, x)
        except ImportError:
            print(f"\n{package} is not installed here: pip install -r requirements-bench.txt")
    print("\nGradCAM at 5b")
    timings = interleaved(cams, rounds=MAP_ROUNDS)
    for reference in [name for name in cams if name != OURS]:
        print_ratios([t for t in timings if t.name in (OURS, reference)], reference)


def _torchcam(network: nn.Module, layer: nn.Module, x: Tensor) -> Callable[[], object]:
    from torchcam.methods import GradCAM

    def run() -> object:
        with GradCAM(network, layer) as cam:
            return cam(0, network(x))

    return run


def _pytorch_grad_cam(network: nn.Module, layer: nn.Module, x: Tensor) -> Callable[[], object]:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def run() -> object:
        with GradCAM(model=network, target_layers=[layer]) as cam:
            return cam(input_tensor=x, targets=[ClassifierOutputTarget(0)])

    return run
