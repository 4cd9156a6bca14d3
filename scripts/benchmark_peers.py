"""The benchmark's numbers beside Quantus's and pytorch-grad-cam's: `python scripts/benchmark_peers.py DATA`.

Needs the packages of requirements-bench.txt. Every line compares numbers on the same images, maps and targets, and
says how far apart they are, or with which error a peer stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inception_model.attribution.batched import enlarged, heatmaps
from inception_model.checkpoints.store import load
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier, build
from inception_model.training.data import open_dataset
from inception_model.trust.benchmark.imputation import impute
from inception_model.trust.benchmark.metrics import Mark, Protocol, Subject, measure
from inception_model.trust.benchmark.running import scorer
from inception_model.trust.curves import BASELINE, masks, strict_ranking

METHOD = "input_x_gradient"
"""No two of its pixels are equal, so that nobody's way of ordering equal ones plays a part."""
HALF, TENTH = 0.5, 0.1
STEPS = 6
"""Quantus wants steps of single channel values whose number divides that of the pixels."""


class MainHead(nn.Module):
    """The main head's logits as a module of its own, which is what the peers take."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier.network.head_logits(self.classifier.to_input(x), "main").float()


class Grey(MainHead):
    """The same for images of one channel, which stands for all three."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.expand(-1, 3, -1, -1))


@dataclass(frozen=True)
class Measured:
    """Images (N, 3, S, S), their targets, maps (N, S, S), and what this project says of each."""

    x: Tensor
    targets: list[int]
    maps: Tensor
    scores: list[float]
    marks: list[Mark]


def measured(classifier: Classifier, x: Tensor, protocol: Protocol) -> Measured:
    """This project's numbers."""
    targets = classifier.heads_of(x).main.argmax(1).tolist()
    side = x.shape[-1]
    maps = enlarged(heatmaps(classifier, x, (METHOD,), "main", targets, published=True)[METHOD], side)
    marks: list[Mark] = []
    scores: list[float] = []
    for number, (image, target) in enumerate(zip(x, targets, strict=True)):
        blurred, grey = (
            baseline(BASELINE[way], image[None], classifier.preprocessing)[0] for way in ("insertion", "deletion")
        )
        score = scorer(classifier, {"main": target}, 32)
        ends = score(torch.stack([image, blurred, grey]))[0]
        marks += measure(maps[number], Subject(image, blurred, grey, *ends), score, protocol, number)
        scores.append(float(ends[0, 0]))
    return Measured(x, targets, maps, scores, marks)


def apart(found: Sequence[float], wanted: Sequence[float]) -> str:
    """Means of both and the largest difference between two of their numbers."""
    one, other = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    return f"here {other.mean():.5f}, peer {one.mean():.5f}, largest difference {np.abs(one - other).max():.2g}"


def quantus_imputation(known: Measured) -> str:
    """Quantus's imputation without noise, half of the pixels removed."""
    from quantus.functions.perturb_func import noisy_linear_imputation

    worst = 0.0
    for image, heatmap in zip(known.x, known.maps, strict=True):
        removed = masks(strict_ranking(heatmap, 0), [HALF])
        theirs = noisy_linear_imputation(image.numpy(), np.flatnonzero(removed[0].numpy()), noise=0.0)
        ours = impute(image[None], ~removed)[0].numpy()
        worst = max(worst, float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)))
    return f"largest relative norm of the difference of two imputed images {worst:.2g}"


def quantus_road(known: Measured, model: nn.Module, protocol: Protocol, batch: int) -> str:
    """Quantus's ROAD, which gives the accuracy at every percentage."""
    import quantus

    percent = [round(100 * share) for share in protocol.removed]
    metric = quantus.ROAD(percentages=percent, noise=protocol.noise, normalise=False, disable_warnings=True)
    x = known.x[:, :1] if isinstance(model, Grey) else known.x
    found = metric(
        model=model, x_batch=x.numpy(), y_batch=np.array(known.targets), a_batch=known.maps[:, None].numpy(),
        channel_first=True, softmax=True, device="cpu", batch_size=batch,
    )  # fmt: skip
    ours = np.mean([mark.morf_same for mark in known.marks], axis=0)
    return apart([float(value) for value in found.values()], ours.tolist())


def quantus_flipping(known: Measured, model: MainHead, protocol: Protocol) -> str:
    """Quantus's pixel flipping, step by step the deletion curve."""
    import quantus

    step = known.x[0].numel() // protocol.steps
    metric = quantus.PixelFlipping(
        features_in_step=step, perturb_baseline=0.0, normalise=False, disable_warnings=True  # type: ignore[arg-type]
    )  # fmt: skip
    found = metric(
        model=model, x_batch=known.x.numpy(), y_batch=np.array(known.targets), a_batch=known.maps[:, None].numpy(),
        channel_first=True, softmax=True, device="cpu", batch_size=8,
    )  # fmt: skip
    ours = [mark.deletion[1:] for mark in known.marks]
    return apart(np.ravel(found).tolist(), np.ravel(ours).tolist())


def quantus_area(known: Measured, model: MainHead) -> str:
    """Quantus's area under that curve."""
    import quantus

    metric = quantus.PixelFlipping(
        features_in_step=known.x[0].numel() // STEPS, perturb_baseline=0.0, normalise=False, disable_warnings=True,
        return_auc_per_sample=True,
    )  # type: ignore[arg-type]  # fmt: skip
    found = metric(
        model=model, x_batch=known.x[:2].numpy(), y_batch=np.array(known.targets[:2]),
        a_batch=known.maps[:2, None].numpy(), channel_first=True, softmax=True, device="cpu",
    )  # fmt: skip
    return apart(found, [mark.values["deletion"] for mark in known.marks[:2]])


def grad_cam_road(known: Measured, model: MainHead, protocol: Protocol, removed: float, least: bool) -> str:
    """pytorch-grad-cam's ROAD at one share: its percentile p removes the 100 - p percent at one end."""
    from pytorch_grad_cam.metrics.road import ROADLeastRelevantFirst, ROADMostRelevantFirst
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    metric = (ROADLeastRelevantFirst if least else ROADMostRelevantFirst)(percentile=round(100 * (1 - removed)))
    place = protocol.removed.index(removed)
    found = [
        float(metric(image[None], heatmap[None].numpy(), [ClassifierOutputSoftmaxTarget(target)], model)[0]) + score
        for image, heatmap, target, score in zip(known.x, known.maps, known.targets, known.scores, strict=True)
    ]
    return apart(found, [(mark.lerf if least else mark.morf)[place] for mark in known.marks])


def grad_cam_drop(known: Measured, model: MainHead, increase: bool) -> str:
    """pytorch-grad-cam's drop, which is not divided by the score, and its increase."""
    from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    metric = IncreaseInConfidence() if increase else DropInConfidence()
    positive = known.maps.clamp(min=0)
    shares = (positive / positive.amax((1, 2), keepdim=True)).numpy()
    found = [
        float(metric(image[None], share[None], [ClassifierOutputSoftmaxTarget(target)], model)[0])
        for image, share, target in zip(known.x, shares, known.targets, strict=True)
    ]
    if increase:
        return apart(found, [mark.values["average_increase"] for mark in known.marks])
    drops = [mark.values["average_drop"] for mark in known.marks]
    times = [drop * score for drop, score in zip(drops, known.scores, strict=True)]
    return f"{apart(found, times)} (here times the score; divided by it, as published, {np.mean(drops):.5f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints one line per comparison."""
    parser = argparse.ArgumentParser(description="the benchmark's numbers beside those of its peers")
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--checkpoint", default="tiny-imagenet")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    np.random.seed(0)
    torch.manual_seed(0)
    classifier = build(load(args.checkpoint), "cpu")
    images = open_dataset(args.data, "validation", classifier.checkpoint.labels).spread(args.images)
    protocol, model = Protocol(STEPS, (TENTH, HALF)), MainHead(classifier).eval()
    x = torch.cat([classifier.preprocessing(photo) for photo, _ in images])
    known = measured(classifier, x, protocol)
    grey = measured(classifier, x.mean(1, keepdim=True).expand(-1, 3, -1, -1), Protocol(1, protocol.removed))
    print(
        f"{len(known.x)} images, {METHOD}, main head, predicted class, deletion in {protocol.steps} steps", flush=True
    )
    lines: dict[str, Callable[[], str]] = {
        "Quantus, imputation": lambda: quantus_imputation(known),
        "Quantus, ROAD (accuracy)": lambda: quantus_road(known, model, protocol, len(known.x)),
        "Quantus, ROAD, grey images": lambda: quantus_road(grey, Grey(classifier).eval(), protocol, len(x)),
        "Quantus, ROAD, grey images in batches of 10": lambda: quantus_road(
            grey, Grey(classifier).eval(), protocol, 10
        ),
        "Quantus, pixel flipping": lambda: quantus_flipping(known, model, protocol),
        "Quantus, area of pixel flipping": lambda: quantus_area(known, model),
        "grad-cam, ROAD MoRF, 10% removed": lambda: grad_cam_road(known, model, protocol, TENTH, False),
        "grad-cam, ROAD MoRF, 50% removed": lambda: grad_cam_road(known, model, protocol, HALF, False),
        "grad-cam, ROAD LeRF, 50% removed": lambda: grad_cam_road(known, model, protocol, HALF, True),
        "grad-cam, drop": lambda: grad_cam_drop(known, model, False),
        "grad-cam, increase": lambda: grad_cam_drop(known, model, True),
    }
    for name, compare in lines.items():
        started = time.perf_counter()
        try:
            words = compare()
        except Exception as error:  # a peer that fails is a result too
            words = f"stopped: {type(error).__name__}: {error}"
        print(f"{name}: {words}; {time.perf_counter() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
