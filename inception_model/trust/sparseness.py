"""Sparseness (Chalasani et al. 2020): does the map name few places, or a little of everything?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .badge import Evidence
from .case import Case

NOISE = 2**0.5 - 1
"""Gini index of the sizes of Gaussian noise, which names no place: sqrt(2) - 1 (half-normal distribution)."""


@dataclass(frozen=True)
class Sparseness(Evidence):
    """Gini index of the sizes of a map's values: 0 for a map that is as strong everywhere, towards 1 for one that names
    a single position. `half`: share of the positions, strongest first, that hold half of the map's whole strength.

    It is no verdict: a true reason may be spread over the photo.
    """

    name: ClassVar[str] = "sparseness"
    gini: float
    half: float

    @property
    def passed(self) -> None:
        return None

    @property
    def sentence(self) -> str:
        beside = "no more than noise has" if self.gini <= NOISE else f"noise has {NOISE:.2f}"
        return (
            f"Half of the map's strength lies on {self.half:.1%} of its positions; its Gini index is {self.gini:.2f} "
            f"({beside}; 0: even, 1: a single position)."
        )


def gini(values: Tensor) -> float:
    """Gini index of the sizes of values of any shape, in float64 (Hurley and Rickard 2009, table 1)."""
    sizes = values.flatten().double().abs().sort().values
    places = torch.arange(1, len(sizes) + 1, dtype=torch.float64, device=sizes.device)
    weights = (len(sizes) - places + 0.5) / len(sizes)
    return float(1 - 2 * (sizes / sizes.sum() * weights).sum())


def sparseness(case: Case) -> Sparseness:
    """Of the map as it is, in its layer's own positions; nothing is computed anew."""
    case.report(1, 1)
    sizes = case.attribution.heatmap.flatten().double().abs().sort(descending=True).values
    share = sizes.cumsum(0) / sizes.sum()
    return Sparseness(gini(sizes), (int((share < 0.5).sum()) + 1) / len(sizes))
