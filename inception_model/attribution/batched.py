"""Many images at a time, each with a target of its own: for measuring a method on a data set."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..progress import Progress
from .explaining import explain, find_method, read_layer, trained_head
from .methods import signed_sum
from .options import read_options
from .task import Clock, Task


@dataclass(frozen=True)
class EachItsOwn(Target):
    """Image n of a batch is asked about class `indices[n]`."""

    indices: tuple[int, ...] = ()

    def score(self, logits: Tensor) -> Tensor:
        """(N, K) -> (N,)."""
        chosen = torch.tensor(self.indices, device=logits.device).unsqueeze(1)
        return logits.gather(1, chosen).squeeze(1)


def heatmaps(
    classifier: Classifier,
    x: Tensor,
    methods: Sequence[str],
    head: str,
    classes: Sequence[int],
    *,
    published: bool = False,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Tensor]:
    """Method -> signed heatmaps (N, h, w), float32 on the CPU, of images (N, 3, S, S), normalised; equal to `explain`
    image by image with default options. With `published`, as each method's paper draws its map (`Method.published`).

    Methods that show each image to the network once take the whole batch at a time, the others one image after the
    other. `progress` counts methods; setting `cancel` raises Cancelled before the next pass through the network.
    """
    found: dict[str, Tensor] = {}
    images = x.to(classifier.device, torch.float32)
    slope: Tensor | None = None
    for done, name in enumerate(methods):
        if progress is not None:
            progress(done, len(methods))
        row = find_method(name)
        options = read_options(row.options, {})
        if name == "input_x_gradient" and slope is not None:
            values = images * slope  # by definition: saves a pass
        elif row.images(options, x.shape[-1]) == 1 and "baseline" not in row.needs:
            trained = trained_head(classifier, head)
            part = read_layer(row, classifier, trained, None)
            target = EachItsOwn(0, None, "", tuple(classes))
            clock = Clock(len(x), None, cancel)
            values = row.run(Task(classifier, images, images, trained, target, part, options, clock)).detach()
            slope = values if name == "saliency" else slope
        else:
            pairs = zip(images.unsqueeze(1), classes, strict=True)
            singles = (explain(classifier, one, name, head, Target(index), cancel=cancel) for one, index in pairs)
            values = torch.stack([single.values for single in singles])
        found[name] = (row.published if published else signed_sum)(values.float()).cpu()
    return found


def enlarged(heatmaps: Tensor, side: int) -> Tensor:
    """(N, h, w) -> (N, side, side), bilinear; values keep their sign and scale, and maps of that size are untouched."""
    if heatmaps.shape[1:] == (side, side):
        return heatmaps
    return F.interpolate(heatmaps[:, None], size=(side, side), mode="bilinear", align_corners=False)[:, 0]
