"""Accuracy of every head on labelled images: top-1 and top-5, one centre view per image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..architecture.network import Heads
from ..architecture.spec import HeadName
from ..images.preprocessing import Preprocessing
from .data import LabelledImages
from .objective import Trainable


@dataclass(frozen=True)
class HeadAccuracy:
    """Shares of images whose label is a head's first answer, or among its first five."""

    top1: float
    top5: float


class CentreViews(Dataset[tuple[np.ndarray, int]]):
    """Each image's centre view as a uint8 array (S, S, 3), before normalisation, with its label."""

    def __init__(self, images: LabelledImages, preprocessing: Preprocessing) -> None:
        self.images, self.preprocessing = images, preprocessing

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        image, label = self.images[index]
        return np.asarray(self.preprocessing.crop(image)), label


BATCH = 16
"""Images at once where the centre views of a whole split are looked at."""


def collate(batch: Sequence[tuple[np.ndarray, int]]) -> tuple[Tensor, Tensor]:
    """Stacks crops to (N, 3, S, S) uint8 in channels-last memory, and labels to (N,)."""
    pixels = torch.from_numpy(np.stack([pixels for pixels, _ in batch])).permute(0, 3, 1, 2)
    return pixels, torch.tensor([label for _, label in batch])


def centre_views(
    images: LabelledImages, preprocessing: Preprocessing, *, batch: int, device: torch.device, workers: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of centre views, normalised (n, 3, S, S) float32 on the device, with their labels (n,) on the CPU."""
    for pixels, labels in DataLoader(
        CentreViews(images, preprocessing), batch, num_workers=workers, collate_fn=collate
    ):
        yield preprocessing.normalise(pixels.to(device).float() / 255), labels


def evaluate_network(
    network: Trainable,
    images: LabelledImages,
    preprocessing: Preprocessing,
    *,
    batch: int = 64,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
    visit: Callable[[Heads, Tensor], None] | None = None,
) -> dict[HeadName, HeadAccuracy]:
    """Accuracy of every head of a network in eval mode, in the network's own precision and on its device.

    `progress(seen, all)` is called after each batch, `visit(logits, labels)` with what the heads said about it.
    """
    hits = {head: np.zeros(2) for head in network.spec.heads}
    seen = 0
    for heads, labels in answers(network, images, preprocessing, batch=batch, workers=workers):
        for name in network.spec.heads:
            hits[name] += _hits(heads.of(name), labels)
        if visit is not None:
            visit(heads, labels)
        seen += len(labels)
        if progress is not None:
            progress(seen, len(images))
    return {name: HeadAccuracy(*(hit / seen).tolist()) for name, hit in hits.items()}


def answers(
    network: Trainable, images: LabelledImages, preprocessing: Preprocessing, *, batch: int, workers: int = 0
) -> Iterator[tuple[Heads, Tensor]]:
    """Batch by batch the logits (n, K) of every head, float32 on the CPU, with the labels (n,)."""
    weight = next(network.parameters())
    network = network.to(memory_format=torch.channels_last)
    for x, labels in centre_views(images, preprocessing, batch=batch, workers=workers, device=weight.device):
        with torch.inference_mode():
            heads = network.forward_heads(x.to(weight.dtype)).map(lambda logits: logits.float().cpu())
        yield heads, labels


def accuracy_of(logits: Tensor, labels: Tensor) -> HeadAccuracy:
    """Logits (n, K), labels (n,) -> the share of labels that are first, and among the first five."""
    return HeadAccuracy(*(_hits(logits, labels) / len(labels)).tolist())


def places(scores: Tensor, labels: Tensor) -> list[int]:
    """Scores (n, K), labels (n,) -> the place of each label among the first five, from 1; 0 where it is not there."""
    right = scores.topk(min(5, scores.shape[1])).indices == labels[:, None]
    found: list[int] = (right * torch.arange(1, right.shape[1] + 1)).sum(1).tolist()
    return found


def accuracy_of_places(found: Sequence[int]) -> HeadAccuracy:
    """What `places` gives of at least one image, as shares."""
    return HeadAccuracy(sum(place == 1 for place in found) / len(found), sum(place > 0 for place in found) / len(found))


def _hits(logits: Tensor, labels: Tensor) -> np.ndarray:
    """How many labels are first, and among the first five."""
    right = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    return np.array([right[:, 0].sum().item(), right.any(1).sum().item()])
