"""Gradient ascent on pictures: the loop, apart from any network."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor

from ..progress import Progress, report
from .parametrisation import Parametrisation

Score = Callable[[Tensor, int], Tensor]
"""(pictures (N, 3, S, S), step) -> one number per picture that is to grow: (N,)."""
Seen = Callable[[int, Tensor], None]
"""Called with (step, pictures) before the step, on the thread that computes."""


def ascend(
    parametrisation: Parametrisation,
    score: Score,
    optimizer: torch.optim.Optimizer,
    steps: int,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    seen: Seen | None = None,
) -> Tensor:
    """Changes the parameter in place; returns the scores before each step, (steps, N). A picture's steps depend on no
    other picture's, unless its score does. Raises Cancelled between two steps."""
    curve = []
    for step in range(steps):
        report(step, steps, progress, cancel)
        pictures = parametrisation.pictures()
        if seen is not None:
            seen(step, pictures.detach())
        scores = score(pictures, step)
        # The gradient of this parameter alone: a network's weights want none.
        (parametrisation.parameter.grad,) = torch.autograd.grad(-scores.sum(), parametrisation.parameter)
        optimizer.step()
        curve.append(scores.detach().float().cpu())
    report(steps, steps, progress, cancel)
    return torch.stack(curve) if curve else torch.empty(0, len(parametrisation.parameter))
