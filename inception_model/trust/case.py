"""What a check is given: a map, the network and the image it speaks about, and how to ask for the map again."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..architecture.network import GoogLeNet
from ..attribution import Attribution, explain
from ..attribution.batched import enlarged
from ..images.baselines import DEFAULT_BASELINE
from ..inference.classifier import Classifier
from ..progress import Progress, report


@dataclass(frozen=True)
class Case:
    """A map of one image `x` (1, 3, S, S), normalised, and the classifier that it was made with.

    `progress` and `cancel` are the running check's own; every check counts its own steps.
    """

    classifier: Classifier
    x: Tensor
    attribution: Attribution
    progress: Progress | None = None
    cancel: threading.Event | None = None

    def report(self, done: int, total: int) -> None:
        """Between two steps: tells the progress, or raises Cancelled."""
        report(done, total, self.progress, self.cancel)

    def again(self, x: Tensor | None = None, network: GoogLeNet | None = None) -> Attribution:
        """The same method, head, target, layer and options on another image, or by another network."""
        known = self.attribution
        classifier = self.classifier if network is None else replace(self.classifier, network=network)
        return explain(
            classifier,
            self.x if x is None else x,
            known.method,
            known.head,
            known.target,
            layer=known.layer,
            baseline=known.baseline or DEFAULT_BASELINE,
            options=known.options,
            cancel=self.cancel,
        )

    def map(self) -> Tensor:
        """The heatmap at the image's size, (S, S) float32: a layer's coarse map is enlarged bilinearly."""
        return enlarged(self.attribution.heatmap.float()[None], self.x.shape[-1])[0]


def generator(seed: int) -> torch.Generator:
    """Random numbers that start at a seed, on the CPU whatever the network's device."""
    return torch.Generator().manual_seed(seed)
