"""LRP on twenty real photos: do its sums close, who holds the score, how long does a map take, what do peers say?"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable

import torch
import torchvision
from captum.attr import LRP, IntegratedGradients
from torch import Tensor, nn

from inception_model.attribution import explain
from inception_model.attribution.lrp import COMPOSITES, Composite, Conservation, Epsilon, Tape
from inception_model.attribution.lrp.method import pixel_box
from inception_model.checkpoints.store import load
from inception_model.images.decode import open_photo
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.targets import Target

from .bench_completeness import photo_files
from .timing import interleaved, print_machine, print_ratios

TITLE = "Layer-wise relevance propagation: sums on twenty photos, times beside other methods (CPU)"
STEPS, ROUNDS = 50, 7
ZERO = Composite("zero", (("*", Epsilon(1e-9)),), "Bach et al. 2015", "LRP-0 everywhere.", Epsilon(1e-9))


def main() -> None:
    """Prints the sums per composite and head, then the times."""
    warnings.filterwarnings("ignore", module="captum")
    print_machine()
    classifier = build(load("tiny-imagenet"), "cpu")
    sums(classifier)
    x = classifier.prepare(sample_photo("cat").image).contiguous()
    times(classifier, x)
    peers(classifier, x)


def sums(classifier: Classifier) -> None:
    """Per composite and head: the worst error, and the median share of the score that each holder has."""
    found: dict[tuple[str, str], list[Conservation]] = {}
    photos = photo_files()
    for path in photos:
        x = classifier.prepare(open_photo(path).image)
        heads = classifier.heads_of(x)
        for head in classifier.trained_heads:
            best = Target(int(heads.of(head)[0].argmax()))
            tape = Tape(classifier.network, x, head, best, pixel_box(classifier.preprocessing, x))
            for name, composite in COMPOSITES.items():
                found.setdefault((name, head), []).append(tape.relevance(composite).conservation[0])
    print(f"\n{len(photos)} photos, each head's own answer; medians of the score's shares")
    print(f"{'composite':20} {'head':5} {'worst error':>11} {'pixels':>8} {'biases':>8} {'stabilisers':>11}")
    for (name, tap), rows in found.items():
        shares = [
            statistics.median(getattr(row, part) / row.score for row in rows)
            for part in ("pixels", "biases", "stabilisers")
        ]
        worst = max(row.error for row in rows)
        print(f"{name:20} {tap:5} {worst:11.1e} {shares[0]:8.1%} {shares[1]:8.1%} {shares[2]:11.1%}")


def times(classifier: Classifier, x: Tensor) -> None:
    """One map of each composite beside GradCAM and integrated gradients, and captum's on torchvision's network."""
    theirs = torchvision.models.googlenet(weights=None, init_weights=False).eval()
    black = classifier.preprocessing.normalise(torch.zeros_like(x))
    maps: dict[str, Callable[[], object]] = {
        f"LRP {name}": lambda name=name: explain(classifier, x, "lrp", options={"composite": name})  # type: ignore[misc]
        for name in COMPOSITES
    }
    maps |= {
        "LRP epsilon through 4d:5x5:17": lambda: explain(classifier, x, "lrp", options={"through": "4d:5x5:17"}),
        "GradCAM at 5b": lambda: explain(classifier, x, "gradcam"),
        "saliency": lambda: explain(classifier, x, "saliency"),
        f"integrated gradients, {STEPS} steps": lambda: explain(classifier, x, "integrated_gradients"),
        "captum's on torchvision's network": lambda: IntegratedGradients(theirs).attribute(
            x, black, target=0, n_steps=STEPS
        ),
    }
    try:
        maps["zennit's EpsilonPlusFlat"] = _zennit(classifier.twin().network, x)
    except ImportError:
        print("\nzennit is not installed here: pip install -r requirements-dev.txt")
    print("\none map")
    print_ratios(interleaved(maps, rounds=ROUNDS, warmup=1), "LRP epsilon")


def peers(classifier: Classifier, x: Tensor) -> None:
    """Captum's LRP with its default rules, LRP-0 throughout, beside ours, and what captum says is missing."""
    found = Tape(classifier.network, x, "main", Target(0)).relevance(ZERO)
    plain = classifier.checkpoint.network()  # captum knows plain convolutions only, and no nn.Identity
    plain.lrn1, plain.lrn2 = nn.Dropout(0.0), nn.Dropout(0.0)
    values, missing = LRP(plain.eval()).attribute(x.clone(), target=0, return_convergence_delta=True)
    apart = float((values - found.values).norm() / found.values.norm())
    print(
        f"\ncaptum's LRP on this network: {apart:.1e} from ours in norm, {float(missing):+.3f} logits not accounted for"
    )
    print(f"ours: {found.conservation[0].sentence}")


def _zennit(network: nn.Module, x: Tensor) -> Callable[[], object]:
    from zennit.composites import EpsilonPlusFlat  # type: ignore[import-untyped]

    def run() -> Tensor:
        leaf = x.clone().requires_grad_()
        with EpsilonPlusFlat().context(network) as hooked:
            score = hooked(leaf)[:, 0]
            return torch.autograd.grad(score.sum(), leaf, score.detach().sum())[0]

    return run
