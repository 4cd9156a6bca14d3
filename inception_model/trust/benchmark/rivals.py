"""RIVALS: maps that know nothing of the network, as rows beside the methods: what nothing gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CELLS = 7
"""Cells along a side of the coarse random map: GradCAM's grain at 5b of a 224-pixel network."""


@dataclass(frozen=True)
class Rival:
    """A map (S, S) of an image's side and a seed, with its name and its label in the table."""

    name: str
    label: str
    heatmap: Callable[[int, int], Tensor]


def random_pixels(side: int, seed: int) -> Tensor:
    """Every pixel by itself, uniform from 0 to 1: tears an image's texture at once, wherever the object is."""
    return torch.rand(side, side, generator=torch.Generator().manual_seed(seed))


def random_cells(side: int, seed: int) -> Tensor:
    """A grid of `CELLS` by `CELLS` random values, enlarged bilinearly."""
    coarse = torch.rand(1, 1, CELLS, CELLS, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)[0, 0]


def centre(side: int, seed: int) -> Tensor:
    """A Gaussian around the middle whose standard deviation is a quarter of the side."""
    away = (torch.arange(side) + 0.5) / side - 0.5
    return torch.exp(-(away[:, None] ** 2 + away[None] ** 2) / (2 * 0.25**2))


RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (
        Rival("random_pixels", "random pixels", random_pixels),
        Rival("random_cells", "random cells, 7 × 7", random_cells),
        Rival("centre", "image centre", centre),
    )
}
"""Every map that says nothing, by name."""
