"""Baselines: what an image is compared with. Integration starts there; ablated channels can take their means."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .preprocessing import Preprocessing


def black(x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Every pixel black: (N, 3, S, S), normalised."""
    return preprocessing.normalise(torch.zeros_like(x))


def mean(x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """The mean colour that the preprocessing subtracts: (N, 3, S, S) of zeros."""
    return torch.zeros_like(x)


def blur(x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """The image through a Gaussian whose sigma is a twentieth of the side (11 pixels of 224), mirrored at the edges."""
    sigma = x.shape[-1] / 20
    radius = min(round(3 * sigma), x.shape[-1] - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=x.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(x.dtype).expand(x.shape[1], 1, -1)
    padded = F.pad(x, (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel.unsqueeze(2), groups=x.shape[1])
    return F.conv2d(rows, kernel.unsqueeze(3), groups=x.shape[1])


def noise(x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Pixels of any colour, all as likely, the same ones every time: (N, 3, S, S), a different image for each of N."""
    pixels = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    return preprocessing.normalise(pixels.to(x.device, x.dtype))


BASELINES: dict[str, Callable[[Tensor, Preprocessing], Tensor]] = {
    "black": black,
    "mean": mean,
    "blur": blur,
    "noise": noise,
}
"""By name: images (N, 3, S, S), normalised, and their preprocessing -> baselines of the same shape."""

DEFAULT_BASELINE = "black"


def baseline(name: str, x: Tensor, preprocessing: Preprocessing) -> Tensor:
    """The baseline of that name for images (N, 3, S, S); raises KeyError that lists the allowed ones."""
    if name not in BASELINES:
        raise KeyError(f"unknown baseline {name!r}; allowed: {', '.join(BASELINES)}")
    return BASELINES[name](x, preprocessing)
