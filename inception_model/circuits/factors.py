"""What the first two convolutions are organised by: the singular vectors of |W| between them (Voss et al. 2021).

No image is needed: colour and frequency of a first-layer filter are read from its own weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.computation import folded
from ..architecture.network import ConvUnit
from ..inference.classifier import Classifier

Floats = NDArray[np.float64]

FACTORS = 3
"""How many are told."""
_GRID = 64
"""Side of the grid on which a filter's frequencies are read."""


@dataclass(frozen=True)
class Factor:
    """One singular vector of |W|: its share of the squared singular values, its loading on every filter of conv1 (C,),
    and Spearman's rank correlation of the loadings with the filters' colour and frequency."""

    share: float
    loadings: Floats
    colour: float
    frequency: float

    def organised_by(self, limit: float) -> str | None:
        """Which of the two it goes with more closely; None where chance would do as well."""
        name, most = max((("colour", abs(self.colour)), ("frequency", abs(self.frequency))), key=lambda pair: pair[1])
        return name if most > limit else None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "share": self.share,
            "colour": self.colour,
            "frequency": self.frequency,
            "loadings": self.loadings.tolist(),
        }


@dataclass(frozen=True)
class Factors:
    """The largest factors of |W|; `colour` and `frequency` (C,) of conv1's filters. `limit`: a correlation that chance
    stays below in 95 of 100 cases."""

    factors: tuple[Factor, ...]
    colour: Floats
    frequency: Floats
    limit: float


def first_factors(classifier: Classifier, count: int = FACTORS) -> Factors:
    """Factors of the absolute weights of the second convolution (conv2's 1x1 reduction) on the first (conv1).

    As in the paper the matrix is not centred. Since no weight of it is negative, all loadings of the first factor have
    one sign: what orders it is which filters are read more.
    """
    units: dict[str, ConvUnit] = dict(classifier.network.conv_units())
    weights = np.abs(np.asarray(folded(units["conv2_reduce"])[0].flatten(1)))
    filters = np.asarray(folded(units["conv1"])[0])
    colour, frequency = filter_colour(filters, classifier.preprocessing.std), filter_frequency(filters)
    _, values, vectors = np.linalg.svd(weights, full_matrices=False)
    shares = values**2 / (values**2).sum()
    found = []
    for share, vector in zip(shares[:count], vectors[:count], strict=True):
        loadings = vector if vector.sum() >= 0 else -vector
        found.append(Factor(float(share), loadings, spearman(loadings, colour), spearman(loadings, frequency)))
    return Factors(tuple(found), colour, frequency, 1.96 / (len(colour) - 1) ** 0.5)


def filter_colour(filters: Floats, std: tuple[float, float, float]) -> Floats:
    """Share of a filter's squared weights (C, 3, k, k) that lies off the grey axis, as the image's own colours have
    it: 0 for one that sees light and dark alone, 1 for one that sees none of it."""
    on_image = filters / np.asarray(std)[None, :, None, None]
    whole = (on_image**2).sum(axis=(1, 2, 3))
    grey = 3 * (on_image.mean(axis=1) ** 2).sum(axis=(1, 2))
    return np.asarray(1 - np.divide(grey, whole, out=np.ones_like(whole), where=whole > 0))


def filter_frequency(filters: Floats) -> Floats:
    """Where the middle of a filter's power lies, in cycles per pixel: 0 for an even one."""
    power = (np.abs(np.fft.fft2(filters, s=(_GRID, _GRID))) ** 2).sum(axis=1)
    cycles = np.hypot(*np.meshgrid(np.fft.fftfreq(_GRID), np.fft.fftfreq(_GRID)))
    whole = power.sum(axis=(1, 2))
    return np.asarray(np.divide((power * cycles).sum(axis=(1, 2)), whole, out=np.zeros_like(whole), where=whole > 0))


def spearman(one: Floats, other: Floats) -> float:
    """Spearman's rank correlation; tied values share their mean rank. NaN where one side does not vary."""
    first, second = (_ranks(values) for values in (one, other))
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])
