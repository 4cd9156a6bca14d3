"""Which channels push a class: measured on images, as activation times gradient of the class's logit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..architecture.address import UnitAddress, modules_seen
from ..architecture.spec import HeadName, NetworkSpec
from ..inference.classifier import Classifier
from ..inference.targets import Target
from .connections import CONNECTIONS, unit_of

Credit = dict[str, NDArray[np.float32]]
"""Module -> (C,) credit of the channels of its concatenated output."""

PUSHES = CONNECTIONS
"""How many of each direction are shown where nobody says otherwise."""


@dataclass(frozen=True)
class Push:
    """A channel and its credit for a class, in logits: above zero it pushes the class, below zero against it."""

    unit: UnitAddress
    credit: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"unit": str(self.unit), "credit": self.credit}


def class_credit(classifier: Classifier, x: Tensor, head: HeadName, target: Target) -> Credit:
    """Module -> (C,): credit of every channel of its output for a head's class or contrast, the mean over the images.

    The sum over positions of activation times gradient: at the last module it is the logit's very share of main,
    before it the first-order estimate. `x` (N, 3, S, S): images as `Classifier.prepare` gives them. Modules behind the
    head are left out.
    """
    network = classifier.network
    found: dict[str, Tensor] = {}
    names = modules_seen(network.spec, head)

    def kept(outputs: Iterator[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
        for name, output in outputs:
            found[name] = output
            yield name, output

    with torch.enable_grad():
        heads = network.heads_from(kept(network.trunk(classifier.to_input(x).clone().requires_grad_(True))))
        score = target.score(heads.of(head)).sum()
        gradients = torch.autograd.grad(score, [found[name] for name in names])
    return {
        name: np.asarray((gradient * found[name].detach()).float().sum(dim=(2, 3)).mean(dim=0).cpu())
        for name, gradient in zip(names, gradients, strict=True)
    }


def strongest(spec: NetworkSpec, credit: Credit, count: int = PUSHES) -> tuple[tuple[Push, ...], tuple[Push, ...]]:
    """The channels that push most for the class, and those that push most against it; strongest first.

    Several modules stand in one list, but each speaks of the whole logit: what an early one gives the later ones pass
    on.
    """
    every = sorted(
        ((float(value), name, place) for name, values in credit.items() for place, value in enumerate(values)),
        key=lambda each: -each[0],
    )

    def pushes(chosen: list[tuple[float, str, int]]) -> tuple[Push, ...]:
        return tuple(Push(unit_of(spec, name, place), value) for value, name, place in chosen)

    ahead = [each for each in every[:count] if each[0] > 0]
    return pushes(ahead), pushes([each for each in every[::-1][:count] if each[0] < 0])
