"""Random views of a picture: what moves, turns and scales with it stays, what hangs on single pixels goes.

lucid's transformations in one resampling: jitter 8 pixels, scale 0.9 to 1.1, turn by up to 10 degrees, jitter 4. What
lies outside of the picture is grey, as lucid's padding; a view has the picture's size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

JITTER = (8.0, 4.0)
"""Widths in pixels of the range of shifts before and after turning."""
SCALE = 0.1
DEGREES = 10.0
GREY = 0.5


def random_views(pictures: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """One view of every picture (N, 3, S, S), drawn by the generator of each."""
    drawn = torch.stack([torch.rand(6, generator=generator) for generator in generators]) * 2 - 1
    size = pictures.shape[-1]
    first, scale, degrees, last = drawn[:, :2], 1 + SCALE * drawn[:, 2], DEGREES * drawn[:, 3], drawn[:, 4:]
    angle = torch.deg2rad(degrees)
    # Half a range to each side, in units of half the picture's side.
    first, last = first * JITTER[0] / size, last * JITTER[1] / size
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2) / scale.view(-1, 1, 1)
    shift = first + torch.einsum("nij,nj->ni", turn, last)
    theta = torch.cat([turn, shift.unsqueeze(2)], 2).to(pictures)
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures - GREY, grid, align_corners=False) + GREY
