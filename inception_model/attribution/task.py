"""What a method is given: a network, one image, what to explain, and a clock that can stop it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..analysis.quadrature import Integration
from ..architecture.address import Part
from ..architecture.network import GoogLeNet
from ..architecture.spec import HeadName
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..progress import Progress, report
from .lrp.conservation import Conservation


@dataclass
class Clock:
    """Counts the images that the network has seen; `total` is an estimate. Raises Cancelled between two batches."""

    total: int
    progress: Progress | None = None
    cancel: threading.Event | None = None
    done: int = 0

    def tick(self, images: int) -> None:
        """To be called before a batch of that many images."""
        report(min(self.done, self.total), self.total, self.progress, self.cancel)
        self.done += images

    def finish(self) -> None:
        """To be called when all is done; the estimate may have been too high."""
        report(self.total, self.total, self.progress, self.cancel)


@dataclass(frozen=True)
class Task:
    """One image `x` and one `baseline` (1, 3, S, S), at least float32, normalised, on the network's device.

    `classifier` is the caller's: only twins of its network may be hooked. `layer` is there for methods that need one;
    `activation` is the output of its module for `x` where it is known already. A method that integrates along a path
    tells in `integrations` how; one that accounts for the score adds to `conservation`, one entry per image.
    """

    classifier: Classifier
    x: Tensor
    baseline: Tensor
    head: HeadName
    target: Target
    layer: Part | None
    options: dict[str, Any]
    clock: Clock = field(repr=False)
    activation: Tensor | None = field(default=None, repr=False)
    integrations: list[Integration] = field(default_factory=list, repr=False)
    conservation: list[Conservation] = field(default_factory=list, repr=False)

    def module(self, network: GoogLeNet | None = None) -> ScoreModule:
        """The score as a module that captum may hook: over a fresh twin, or over the given network."""
        return ScoreModule(network or self.classifier.twin().network, self.head, self.target, self.clock)

    def normal_noise(self, generator: torch.Generator, count: int, sigma: float) -> Tensor:
        """(count, 3, S, S) normal noise; `sigma` is a share of the image's range of values."""
        scale = sigma * float(self.x.max() - self.x.min())
        return torch.randn(count, *self.x.shape[1:], generator=generator).to(self.x) * scale


class ScoreModule(nn.Module):
    """Images (N, 3, S, S) -> the target's score (N,) in logits, at least float32: one class, or a contrast of two.

    Nothing behind the head is computed. Softmax is never applied: it would mix in the other classes' evidence.
    """

    def __init__(self, network: GoogLeNet, head: HeadName, target: Target, clock: Clock) -> None:
        super().__init__()
        self.network = network
        self.head, self.target, self.clock = head, target, clock
        self.dtype = network.classifier.weight.dtype
        self.exact = torch.promote_types(self.dtype, torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        self.clock.tick(len(x))
        images = x.to(self.dtype, memory_format=torch.channels_last)
        return self.target.score(self.network.head_logits(images, self.head).to(self.exact))
