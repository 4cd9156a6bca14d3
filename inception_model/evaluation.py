"""Accuracy of every head on labelled images: top-1 and top-5, one view per image."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .data import LabelledImages
from .network import GoogLeNet


def whole_image_batches(images: LabelledImages, size: int, batch: int) -> Iterable[tuple[Tensor, Tensor]]:
    """The images stretched to size x size (they are square in most sets), uint8 (N, 3, S, S), with labels (N,)."""
    for start in range(0, len(images), batch):
        rows = [images[i] for i in range(start, min(start + batch, len(images)))]
        resized = [np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)) for image, _ in rows]
        yield torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2), torch.tensor([label for _, label in rows])


def evaluate_network(
    network: GoogLeNet,
    images: LabelledImages,
    size: int,
    normalise: Callable[[Tensor], Tensor],
    batch: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, float]]:
    """{"main": {"top1": share, "top5": share}, ...} of every head of a network in eval mode."""
    device = next(network.parameters()).device
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    hits = {head: np.zeros(2) for head in network.spec.heads}
    seen = 0
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        for pixels, labels in whole_image_batches(images, size, batch):
            heads = network.forward_heads(normalise(pixels.to(device)))
            for name in network.spec.heads:
                logits = getattr(heads, name)
                top = logits.float().topk(min(5, logits.shape[1])).indices.cpu()
                right = top == labels[:, None]
                hits[name] += [right[:, 0].sum().item(), right.any(1).sum().item()]
            seen += len(labels)
            if progress is not None:
                progress(seen, len(images))
    return {name: {"top1": float(h[0] / seen), "top5": float(h[1] / seen)} for name, h in hits.items()}
