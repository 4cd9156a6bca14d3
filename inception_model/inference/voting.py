"""One photo, many crops, one or several networks: every crop's answer, and their average as the paper takes it.

"The softmax probabilities are averaged over multiple crops and over all the individual classifiers" (section 7).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..architecture.spec import HeadName
from ..images.crops import Crop, Views, views
from ..progress import Progress, report
from .classifier import Classifier

BATCH = 4
"""Crops in one forward pass where no other number is asked for. On CPUs more don't go faster: activations leave the
cache. On GPUs the caller asks for more."""
GPU_BATCH = 48


class EnsembleError(ValueError):
    """Networks that can't vote together; the message names what differs."""


def distinct_names(members: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What to call members, each a (name, hash): where a name is another one's too, with 8 digits of the hash, as the
    `checkpoint.safetensors` of several runs; with their number where even that is not enough."""
    names = Counter(name for name, _ in members)
    called = [name if names[name] == 1 or not sha256 else f"{name} ({sha256[:8]})" for name, sha256 in members]
    found = Counter(called)
    return tuple(name if found[name] == 1 else f"{name} no. {at + 1}" for at, name in enumerate(called))


def check_ensemble(members: Sequence[Classifier]) -> tuple[HeadName, ...]:
    """The heads that every member has and has trained, in depth order.

    Raises EnsembleError where one is named twice, where classes or preprocessing differ, or without such a head.
    """
    if not members:
        raise EnsembleError("an ensemble needs at least one checkpoint")
    first = members[0].checkpoint
    names = distinct_names([(member.checkpoint.name, member.checkpoint.identity) for member in members])
    seen: dict[str, str] = {}
    for name, member in zip(names, members, strict=True):
        known = member.checkpoint
        if known.sha256 and known.sha256 in seen:
            raise EnsembleError(f"{known.name} and {seen[known.sha256]} are the same file: name each checkpoint once")
        seen[known.sha256] = known.name
        if known.spec.classes != first.spec.classes:
            raise EnsembleError(
                f"{name} has {known.spec.classes} classes and {names[0]} {first.spec.classes}: "
                "networks that vote together need the same classes"
            )
        for one, other in zip(first.labels, known.labels, strict=False):
            if (one.wnid or one.words) != (other.wnid or other.words):
                raise EnsembleError(
                    f"class {one.index} is {one.wnid} ({one.words}) in {names[0]} and {other.wnid} ({other.words}) "
                    f"in {name}: networks that vote together need the same classes in the same order"
                )
        if known.preprocessing != first.preprocessing:
            raise EnsembleError(
                f"{name} and {names[0]} take photos differently ({known.preprocessing.words}; "
                f"{first.preprocessing.words}): networks that vote together need the same preprocessing"
            )
    shared = tuple(head for head in members[0].trained_heads if all(head in m.trained_heads for m in members))
    if not shared:
        raise EnsembleError(
            "no head was trained in all of "
            + "; ".join(
                f"{name} ({', '.join(m.trained_heads) or 'none'})" for name, m in zip(names, members, strict=True)
            )
        )
    return shared


@dataclass(frozen=True, eq=False)
class Votes:
    """What networks say to crops of one photo. `probabilities`: head -> (models, crops, K) float32.

    `pictures`: different pictures among the crops, `passes`: forward passes of one image that all models took.
    """

    crops: tuple[Crop, ...]
    models: tuple[str, ...]
    probabilities: dict[HeadName, Tensor]
    pictures: int
    seconds: float = 0.0

    @property
    def passes(self) -> int:
        return self.pictures * len(self.models)

    def averaged(self, head: HeadName, count: int | None = None) -> Tensor:
        """(K,): the mean over all models and the first `count` crops (all with None)."""
        return self.probabilities[head][:, :count].double().mean((0, 1)).float()

    def running(self, head: HeadName) -> Tensor:
        """(crops, K): `averaged` for every count from 1 on."""
        sums = self.probabilities[head].double().mean(0).cumsum(0)
        return (sums / torch.arange(1, len(sums) + 1, dtype=sums.dtype)[:, None]).float()

    def of_crops(self, head: HeadName) -> Tensor:
        """(crops, K): what the models say together to each crop."""
        return self.probabilities[head].mean(0)


def vote(
    classifier: Classifier,
    image: Image.Image,
    crops: Sequence[Crop],
    *,
    batch: int | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Votes:
    """One network's answers to crops of a photo, at every trained head. `progress` counts pictures; setting `cancel`
    raises Cancelled before the next batch."""
    seen = views(image, crops, classifier.preprocessing)
    logits = logits_of(classifier, seen.pictures, batch=batch, progress=progress, cancel=cancel)
    said = probabilities(classifier, logits, seen)
    return Votes(tuple(crops), (classifier.checkpoint.name,), said, len(seen.pictures))


def probabilities(classifier: Classifier, logits: dict[HeadName, Tensor], seen: Views) -> dict[HeadName, Tensor]:
    """A classifier's logits of the different pictures (D, K) -> head -> (1, crops, K), at its temperatures."""
    place = torch.from_numpy(seen.place)
    return {head: classifier.probabilities(values, head)[place][None] for head, values in logits.items()}


def logits_of(
    classifier: Classifier,
    pictures: NDArray[np.uint8],
    *,
    batch: int | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> dict[HeadName, Tensor]:
    """Pictures (N, S, S, 3) uint8 -> trained head -> logits (N, K) float32 on the CPU, `batch` at a time."""
    step = batch or (BATCH if classifier.device.type == "cpu" else GPU_BATCH)
    found: dict[HeadName, list[Tensor]] = {head: [] for head in classifier.trained_heads}
    for start in range(0, len(pictures), step):
        report(start, len(pictures), progress, cancel)
        pixels = torch.from_numpy(np.ascontiguousarray(pictures[start : start + step])).to(classifier.device)
        heads = classifier.heads_of(classifier.preprocessing.normalise(pixels.permute(0, 3, 1, 2).float() / 255))
        for head, parts in found.items():
            parts.append(heads.of(head))
    report(len(pictures), len(pictures), progress, cancel)
    return {head: torch.cat(parts) for head, parts in found.items()}


def together(votes: Sequence[Votes]) -> Votes:
    """Votes of several networks on the same crops as those of one ensemble, at the heads that all have."""
    first = votes[0]
    if any(other.crops != first.crops for other in votes):
        raise ValueError("votes on different crops can't be averaged")
    heads = [head for head in first.probabilities if all(head in other.probabilities for other in votes)]
    return Votes(
        first.crops,
        tuple(name for one in votes for name in one.models),
        {head: torch.cat([one.probabilities[head] for one in votes]) for head in heads},
        first.pictures,
        sum(one.seconds for one in votes),
    )
