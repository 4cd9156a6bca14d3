"""Does the network know this at all: how unlike a photo is to what it was trained on (out-of-distribution scores).

Three scores are read off one forward pass; the one that tells known from unknown best is kept, with the threshold that
a stated share of new photos of the known classes exceeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..architecture.network import Heads
from ..architecture.spec import HeadName
from ..images.patterns import COLOUR_AXES, Stimulus
from ..images.stimuli import FAMILIES, stimulus_set
from ..inference.classifier import Classifier
from ..inference.trace import Trace
from ..progress import Progress
from ..training.data import LabelledImages
from ..training.evaluation import BATCH, centre_views
from .probes import pooled

ScoreName = Literal["softmax", "energy", "distance"]


@dataclass(frozen=True)
class Score:
    """A score of how unlike a photo is, the higher the more: what it is in words, and its paper."""

    words: str
    paper: str


SCORES: dict[ScoreName, Score] = {
    "softmax": Score("largest probability, negative", "Hendrycks and Gimpel 2017"),
    "energy": Score("energy, −log Σ exp of the logits", "Liu et al. 2020"),
    "distance": Score(
        "Mahalanobis distance to the nearest class, last module's features at unit length", "Lee et al. 2018"
    ),
}

FALSE_ALARMS = 0.05
"""Share of new photos of the known classes that are called unlike them."""
FOLDS = 5
"""Classes are held out from the fit in so many parts, each in turn."""
SHRINKAGE = 0.3
"""Share of the covariance that is replaced by its mean variance in every direction: the inverse stays stable."""
SHARES = 101
"""Quantiles of the score that are kept, from the least to the most unlike of the new photos."""


@dataclass(frozen=True)
class Observations:
    """What is read of n images: `features` (n, C), the averages of the last module's channels, `logits` (n, K) of the
    deepest trained head, and true classes `labels` (n,). Float32 on the CPU."""

    features: Tensor = field(repr=False)
    logits: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: Tensor) -> Observations:
        """The images that are chosen (a mask, or indices)."""
        return Observations(self.features[chosen], self.logits[chosen], self.labels[chosen])


@dataclass(frozen=True, eq=False)
class Distance:
    """Mahalanobis distance of features at unit length to the nearest of the classes' means, one covariance for all
    (Mueller and Hein 2025): how strongly a photo excites all channels says little about what it shows.

    `classes`: those that had images, (M,). `means`: (M, C) whitened; `whitening`: (C, C), upper triangular. In whitened
    coordinates the Mahalanobis distance is the Euclidean one. Both hold numbers that fp16 can store.
    """

    classes: tuple[int, ...]
    means: Tensor = field(repr=False)
    whitening: Tensor = field(repr=False)

    def __call__(self, features: Tensor) -> Tensor:
        """Features (n, C) -> (n,) distances."""
        return torch.cdist(F.normalize(features) @ self.whitening.T, self.means).amin(dim=1)


def fit(features: Tensor, labels: Tensor) -> Distance:
    """Class means and shared covariance (within classes, shrunk by SHRINKAGE) of features (n, C) with labels (n,)."""
    classes, places = labels.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    if len(labels) <= len(classes):
        raise ValueError(f"{len(labels)} images of {len(classes)} classes: a covariance needs more images than classes")
    x = F.normalize(features.double())
    sums = torch.zeros(len(classes), x.shape[1], dtype=x.dtype).index_add_(0, places, x)
    means = sums / places.bincount()[:, None]
    apart = x - means[places]
    covariance = apart.T @ apart / len(x)
    mean_variance = covariance.diagonal().mean()
    if not mean_variance > 0:
        raise ValueError("all images of a class look the same to the network: there is no distance to measure")
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * mean_variance * torch.eye(x.shape[1], dtype=x.dtype)
    whitening = torch.linalg.cholesky(torch.linalg.inv(covariance)).T
    stored = (means @ whitening.T).half().float(), whitening.half().float()
    if not all(bool(torch.isfinite(values).all()) for values in stored):
        raise ValueError("the last module's features vary too little to be told apart in fp16")
    return Distance(tuple(classes.tolist()), *stored)


def score(name: ScoreName, seen: Observations, distance: Distance) -> Tensor:
    """(n,) of a score, the higher the more unlike."""
    if name == "softmax":
        return -seen.logits.softmax(dim=1).amax(dim=1)
    if name == "energy":
        return -seen.logits.logsumexp(dim=1)
    return distance(seen.features)


def auroc(unlike: Tensor, known: Tensor) -> float:
    """Probability that a score of `unlike` (n,) is above one of `known` (m,), ties half: area under the ROC curve."""
    ranked = known.double().sort().values
    wins = torch.searchsorted(ranked, unlike.double()) + torch.searchsorted(ranked, unlike.double(), right=True)
    return float(wins.double().mean() / (2 * len(ranked)))


# Reading images


def head_read(classifier: Classifier) -> HeadName:
    """The head whose logits are read: the deepest that was trained; raises ValueError where none was."""
    if not classifier.trained_heads:
        raise ValueError(f"no head of {classifier.checkpoint.name} was trained: there is no answer to doubt")
    return classifier.trained_heads[-1]


def heads_and_features(classifier: Classifier, x: Tensor) -> tuple[Heads, Tensor]:
    """One forward pass of images (N, 3, S, S): logits of all heads, and the last module's channel averages (N, C)."""
    last: list[Tensor] = []
    network = classifier.network

    def visit(name: str, output: Tensor) -> Tensor:
        if name == network.spec.module_names[-1]:
            last.append(output.float().mean(dim=(2, 3)).cpu())
        return output

    with torch.inference_mode():
        heads = network.heads_from(network.trunk(classifier.to_input(x), visit=visit))
    return heads.map(lambda logits: logits.float().cpu()), last[0]


def features_of(trace: Trace) -> Tensor:
    """(N, C): the same averages from a trace; no forward pass."""
    return pooled(trace, list(trace.blocks)[-1])


def observe(
    classifier: Classifier, images: LabelledImages, *, batch: int = BATCH, progress: Progress | None = None
) -> Observations:
    """One pass over the images' centre views."""
    head, found = head_read(classifier), list[Observations]()
    for x, labels in centre_views(images, classifier.preprocessing, batch=batch, device=classifier.device):
        heads, features = heads_and_features(classifier, x)
        found.append(Observations(features, heads.of(head), labels))
        if progress is not None:
            progress(sum(map(len, found)), len(images))
    return _joined(found)


def generated(per_number: int = 4) -> tuple[Stimulus, ...]:
    """Pictures that show nothing of the world: every kind of stimulus, `per_number` values of each of its numbers, on
    every colour axis that it has."""
    found: list[Stimulus] = []
    for family, kind in FAMILIES.items():
        axes = [{"axis": axis} for axis in COLOUR_AXES] if "axis" in kind.__dataclass_fields__ else [{}]
        for name in kind.RANGES:
            for axis in axes:
                found += [stimulus for _, stimulus in stimulus_set(family, name, per_number, **axis)]
    return tuple(dict.fromkeys(found))


def observe_generated(classifier: Classifier, batch: int = BATCH) -> Observations:
    """The generated pictures as the network sees them; their labels are -1."""
    head, prepared, found = head_read(classifier), classifier.preprocessing, list[Observations]()
    pictures = [prepared.tensor(stimulus.image(prepared.size)) for stimulus in generated()]
    for start in range(0, len(pictures), batch):
        x = torch.cat(pictures[start : start + batch])
        heads, features = heads_and_features(classifier, x)
        found.append(Observations(features, heads.of(head), torch.full((len(x),), -1)))
    return _joined(found)


def _joined(parts: Sequence[Observations]) -> Observations:
    return Observations(*(torch.cat([getattr(p, name) for p in parts]) for name in ("features", "logits", "labels")))


# Measuring


@dataclass(frozen=True)
class Measured:
    """How well a score tells known from unknown.

    `classes`: mean AUROC of images of held-out classes against images of the others, over FOLDS parts. `pictures`:
    AUROC of generated pictures against images of all classes. `caught`: share of the generated pictures above the
    threshold; `alarms`: of new photos of the known classes. All photos are new to fit and threshold.
    """

    classes: float
    pictures: float
    caught: float
    alarms: float


@dataclass(frozen=True)
class HeldOut:
    """A fit that knows nothing of some classes: `known` (K,) is a mask of those that it does know."""

    known: Tensor
    distance: Distance

    def auroc(self, name: ScoreName, seen: Observations) -> float | None:
        """Of images of the held-out classes against images of the known ones; None where one kind is missing.

        Softmax and energy see only the known classes' logits.
        """
        inside = self.known[seen.labels]
        if inside.all() or not inside.any():
            return None
        masked = Observations(seen.features, seen.logits[:, self.known], seen.labels)
        values = score(name, masked, self.distance)
        return auroc(values[~inside], values[inside])


def held_out_fits(training: Observations) -> tuple[HeldOut, ...]:
    """FOLDS fits, each without every FOLDS-th class, so that every class is held out once."""
    classes = torch.arange(training.logits.shape[1])
    found = []
    for part in range(min(FOLDS, len(classes))):
        known = classes % FOLDS != part
        fitted = training.where(known[training.labels])
        found.append(HeldOut(known, fit(fitted.features, fitted.labels)))
    return tuple(found)


def held_out_auroc(name: ScoreName, parts: Sequence[HeldOut], seen: Observations) -> float:
    """The mean over the parts; raises ValueError where the images show too few classes to hold any of them out."""
    found = [value for part in parts if (value := part.auroc(name, seen)) is not None]
    if not found:
        raise ValueError("the held-out images show too few classes to hold any of them out: take more images")
    return sum(found) / len(found)


def best(parts: Sequence[HeldOut], chosen_with: Observations, pictures: Observations, distance: Distance) -> ScoreName:
    """The score with the highest mean of both AUROCs (`Measured`), on images that are not measured with afterwards."""

    def mean(name: ScoreName) -> float:
        drawn = auroc(score(name, pictures, distance), score(name, chosen_with, distance))
        return (held_out_auroc(name, parts, chosen_with) + drawn) / 2

    return max(SCORES, key=mean)


def measure(
    parts: Sequence[HeldOut],
    chosen_with: Observations,
    new: Observations,
    pictures: Observations,
    distance: Distance,
) -> dict[ScoreName, Measured]:
    """Every score's marks on `new`, by the threshold that FALSE_ALARMS of `chosen_with` lie above."""
    marks: dict[ScoreName, Measured] = {}
    for name in SCORES:
        known, unknown = score(name, new, distance), score(name, pictures, distance)
        limit = float(score(name, chosen_with, distance).quantile(1 - FALSE_ALARMS))
        marks[name] = Measured(
            held_out_auroc(name, parts, new),
            auroc(unknown, known),
            float((unknown > limit).double().mean()),
            float((known > limit).double().mean()),
        )
    return marks
