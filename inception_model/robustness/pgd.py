"""Projected gradient descent (Madry et al. 2018) on the pixels of the network's square, inside a bound that is kept.

Pixels are RGB from 0 to 1, float64: a bound of a fraction of an 8-bit level is not lost in rounding. The loss is the
margin between two logits (Carlini and Wagner 2017, f6), whose gradient does not fade where the network is sure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ..architecture.spec import HeadName
from ..inference.classifier import Classifier

Norm = Literal["linf", "l2"]
NORMS: tuple[Norm, ...] = get_args(Norm)
DEFAULT_NORM: Norm = "linf"

STEPS = 10
"""Gradients within one bound."""
REACH = 2.5
"""All steps together go so many times as far as the bound (Madry et al., their published code)."""

Logits = Callable[[Tensor], Tensor]
"""Pixels (N, 3, S, S) -> logits (N, K), differentiable."""


@dataclass(frozen=True)
class Goal:
    """What is to become of an answer: away from class `source` to any other, or to class `target`."""

    source: int
    target: int | None = None

    def margin(self, logits: Tensor) -> Tensor:
        """(N, K) -> (N,): negative where the goal is reached, and by how many logits it is missed otherwise."""
        aim = self.source if self.target is None else self.target
        others = logits.clone()
        others[:, aim] = float("-inf")
        lead = logits[:, aim] - others.amax(dim=1)
        return lead if self.target is None else -lead

    def reached(self, logits: Tensor) -> bool:
        """Whether the first image's answer is what it is to become."""
        return bool(self.margin(logits)[0] < 0)


def logits_of(classifier: Classifier, head: HeadName) -> Logits:
    """A head's logits as a function of pixels; nothing behind the head is computed."""

    def run(pixels: Tensor) -> Tensor:
        x = classifier.to_input(classifier.preprocessing.normalise(pixels))
        return classifier.network.head_logits(x, head).float().cpu()

    return run


def size_of(change: Tensor, norm: Norm) -> float:
    """How large a change is: its largest value, or the root of the sum of its squares."""
    return float(change.abs().max() if norm == "linf" else change.square().sum().sqrt())


def bounded(clean: Tensor, changed: Tensor, norm: Norm, bound: float) -> Tensor:
    """The nearest pixels inside the bound about the clean ones, none darker than black or brighter than white."""
    change = changed - clean
    if norm == "linf":
        change = change.clamp(-bound, bound)
    elif (size := size_of(change, norm)) > bound:
        change = change * (bound / size)
    return (clean + change).clamp(0, 1)


def stepped(pixels: Tensor, gradient: Tensor, norm: Norm, length: float) -> Tensor:
    """One step down the gradient: every value by `length` (linf), or all together by it (l2)."""
    if norm == "linf":
        return pixels - length * gradient.sign()
    size = size_of(gradient, norm)
    return pixels - gradient * (length / size) if size else pixels


def margin_gradient(logits: Logits, pixels: Tensor, goal: Goal) -> tuple[float, Tensor]:
    """The margin of one image (1, 3, S, S) and its gradient."""
    with torch.enable_grad():
        variable = pixels.detach().requires_grad_()
        margin = goal.margin(logits(variable))[0]
        (gradient,) = torch.autograd.grad(margin, variable)
    return float(margin.detach()), gradient


def attack(
    logits: Logits,
    clean: Tensor,
    goal: Goal,
    norm: Norm,
    bound: float,
    steps: int = STEPS,
    *,
    start: Tensor | None = None,
    stop: bool = True,
    tell: Callable[[], None] = lambda: None,
) -> tuple[Tensor, float]:
    """The pixels inside the bound with the smallest margin that was met on the way, and that margin.

    `start`: pixels to begin at, else the clean ones; `stop`: at the first ones that reach the goal. `tell` is called
    before every pass and may raise.
    """
    pixels = clean if start is None else bounded(clean, start, norm, bound)
    best, least = pixels, float("inf")
    for _ in range(steps):
        tell()
        margin, gradient = margin_gradient(logits, pixels, goal)
        if margin < least:
            best, least = pixels, margin
        if stop and margin < 0:
            return best, least
        pixels = bounded(clean, stepped(pixels, gradient, norm, REACH * bound / steps), norm, bound)
    tell()
    with torch.no_grad():
        margin = float(goal.margin(logits(pixels))[0])
    return (pixels, margin) if margin < least else (best, least)
