"""Pictures as parameters: a Fourier spectrum in uncorrelated colours, or only its phases.

A step in Fourier space changes a picture at all scales at once; with the weights 1/frequency of natural photos what
comes first is large. Source: Olah et al., "Feature visualization", 2017, and lucid's `param/spatial.py`, whose numbers
these are. Phases alone: MACO, Fel et al. 2023 (arXiv 2306.06805).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from .colour import from_rgb, to_rgb

SPREAD = 0.01
"""Standard deviation of the spectrum at the start."""
GAIN = 0.25
"""lucid's factor on the whole picture."""
CLIPPED = 1 / 512
"""A photo's pixels are kept this far from 0 and 1, where the sigmoid's inverse ends: half a step of 8 bits."""


class Parametrisation(Protocol):
    """N pictures as a tensor that a gradient may change."""

    parameter: Tensor

    def pictures(self) -> Tensor:
        """(N, 3, S, S), RGB in (0, 1)."""
        ...


def frequencies(size: int) -> Tensor:
    """Cycles per pixel at every place of `rfft2` of a square: (size, size // 2 + 1)."""
    down, across = torch.fft.fftfreq(size), torch.fft.rfftfreq(size)
    length: Tensor = (down[:, None] ** 2 + across[None, :] ** 2).sqrt()
    return length


class Fourier:
    """The spectrum itself, weighted by 1/frequency, through the sigmoid to RGB."""

    def __init__(self, size: int, generators: Sequence[torch.Generator], start: Tensor | None = None) -> None:
        """One picture per generator; `start`, RGB (N or 1, 3, size, size), is what they begin with instead of noise."""
        self.size = size
        self.scale = size / frequencies(size).clamp(min=1 / size)
        if start is None:
            shape = (3, size, size // 2 + 1, 2)
            drawn = [torch.randn(shape, generator=generator) for generator in generators]
            spectrum = SPREAD * torch.stack(drawn)
        else:
            plain = from_rgb(torch.logit(start.double().clamp(CLIPPED, 1 - CLIPPED)))
            spectrum = torch.view_as_real(torch.fft.rfft2(plain) / (self.scale * GAIN)).float()
            spectrum = spectrum.expand(len(generators), *spectrum.shape[1:]).clone()
        self.parameter = spectrum.requires_grad_()

    def plain(self) -> Tensor:
        """The picture in uncorrelated colours, unbounded."""
        spectrum = torch.view_as_complex(self.parameter) * self.scale
        plain: Tensor = torch.fft.irfft2(spectrum, s=(self.size, self.size))
        return GAIN * plain

    def pictures(self) -> Tensor:
        """See Parametrisation."""
        return to_rgb(self.plain()).sigmoid()


class Phases:
    """Phases alone; the magnitudes (3, size, size // 2 + 1) stay what they are, to rounding.

    A real picture's spectrum is its own mirror image in the first and, for an even size, the last column: there the
    phases of two mirrored places are tied together, and the magnitudes have to be symmetric.
    """

    def __init__(self, magnitudes: Tensor, generators: Sequence[torch.Generator]) -> None:
        self.size = magnitudes.shape[-2]
        self.magnitudes = magnitudes
        drawn = [torch.rand(magnitudes.shape, generator=generator) for generator in generators]
        self.parameter = ((2 * torch.stack(drawn) - 1) * torch.pi).requires_grad_()

    def phases(self) -> Tensor:
        """The phases as they are used: (N, 3, size, size // 2 + 1)."""
        free = self.parameter
        mirrored = free.roll(-1, dims=2).flip(2)  # row k -> row -k
        tied = torch.zeros(free.shape[-1], dtype=torch.bool)
        tied[0] = True
        tied[-1] = tied[-1] or self.size % 2 == 0
        return torch.where(tied, (free - mirrored) / 2, free)

    def plain(self) -> Tensor:
        """The picture in uncorrelated colours."""
        spectrum = torch.polar(self.magnitudes.expand_as(self.parameter).contiguous(), self.phases())
        plain: Tensor = torch.fft.irfft2(spectrum, s=(self.size, self.size))
        return plain

    def pictures(self) -> Tensor:
        """See Parametrisation."""
        return to_rgb(self.plain()).sigmoid()


def natural_magnitudes(size: int) -> Tensor:
    """(3, size, size // 2 + 1): magnitudes that fall with 1/frequency as natural photos' do (Field 1987), the same for
    the three uncorrelated colours. The mean is zero, so grey; the standard deviation of every colour is 1."""
    spectrum = frequencies(size)
    magnitudes = torch.where(spectrum > 0, 1 / spectrum.clamp(min=1 / size), torch.zeros(()))
    twice = torch.full((size // 2 + 1,), 2.0)  # all columns but the first and an even size's last stand for two
    twice[0] = 1
    twice[-1] = 1 if size % 2 == 0 else 2
    power = (magnitudes.square() * twice).sum() / size**4  # Parseval: the picture's mean square
    return (magnitudes / power.sqrt()).expand(3, -1, -1)
