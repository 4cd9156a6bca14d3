"""Colours in which natural photos are uncorrelated, so that a step changes brightness as easily as a hue."""

from __future__ import annotations

import torch
from torch import Tensor

VARIANCES = (0.2175, 0.0188, 0.0045)
AXES = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
"""Principal components of ImageNet's RGB pixels, one column each, and the variances along them (Krizhevsky et al. 2012,
section 4.1; the numbers as in fb.resnet.torch). They are brightness, blue against yellow, green against magenta."""


def decorrelation(like: Tensor | None = None) -> Tensor:
    """(3, 3): uncorrelated colours of unit variance -> RGB, divided by the largest axis' length (lucid's
    `color_correlation_normalized` up to signs)."""
    like = torch.empty(0) if like is None else like
    deviations = torch.tensor(VARIANCES, dtype=torch.float64).sqrt()
    # Signs are free; the first axis is turned so that more of it is brighter.
    matrix = -torch.tensor(AXES, dtype=torch.float64) * deviations
    return (matrix / deviations.max()).to(like)


def to_rgb(x: Tensor) -> Tensor:
    """(N, 3, H, W) in uncorrelated colours -> RGB before the sigmoid."""
    return torch.einsum("rc,nchw->nrhw", decorrelation(x), x)


def from_rgb(x: Tensor) -> Tensor:
    """The inverse of `to_rgb`."""
    return torch.einsum("cr,nrhw->nchw", torch.linalg.inv(decorrelation(x).double()).to(x), x)
