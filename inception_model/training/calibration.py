"""Whether a head's confidence can be taken at its word: temperature, reliability, expected calibration error.

(Guo et al. 2017, On Calibration of Modern Neural Networks, sections 2 and 4.2.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..architecture.probabilities import HIGHEST, LOWEST, Temperatures
from ..architecture.spec import HeadName

BINS = 15
"""Intervals of equal width, as in the paper."""


class CalibrationError(ValueError):
    """No temperature can be fitted; the message says why and what to do."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose probability lies in one interval: how many, their mean probability, and the share that is right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """A head's first answers on labelled images: the bins that are not empty, and the mean of -ln p(label) in nats."""

    bins: tuple[ReliabilityBin, ...]
    nll: float

    @property
    def images(self) -> int:
        """How many answers there were."""
        return sum(found.count for found in self.bins)

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of confidence and accuracy, weighted by the bins' counts."""
        return calibration_error(self.bins)


@dataclass(frozen=True)
class HeadCalibration:
    """A head's temperature, and its reliability without and with it on images that it wasn't fitted on."""

    temperature: float
    before: Reliability
    after: Reliability


@dataclass(frozen=True)
class Calibration:
    """What `calibrate` found. `fitted`: held-out training images; `measured`: validation images; `data`: their name."""

    data: str
    fitted: int
    measured: int
    heads: dict[HeadName, HeadCalibration]

    @property
    def temperatures(self) -> Temperatures:
        """Head -> temperature."""
        return {head: found.temperature for head, found in self.heads.items()}


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Probabilities of first answers (N,), and whether each is right -> the bins of equal width that are not empty.

    Raises ValueError where the two differ in length.
    """
    sure, hit = np.asarray(confidences, np.float64), np.asarray(right, bool)
    if sure.shape != hit.shape:
        raise ValueError(f"{len(sure)} confidences but {len(hit)} verdicts; one verdict belongs to each")
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return tuple(
        ReliabilityBin(int(inside.sum()), float(sure[inside].mean()), float(hit[inside].mean()))
        for inside in (place == b for b in range(bins))
        if inside.any()
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Expected calibration error of these bins."""
    total = sum(found.count for found in bins)
    return sum(found.count * abs(found.accuracy - found.confidence) for found in bins) / total if total else 0.0


class ReliabilityMeter:
    """Reliability of one head at one temperature over batches: two numbers are kept of each image, not its logits."""

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = temperature
        self._sure: list[Tensor] = []
        self._right: list[Tensor] = []
        self._nll = 0.0

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """A batch: logits (n, K), labels (n,)."""
        logs = (logits.double() / self.temperature).log_softmax(dim=1)
        sure, first = logs.max(dim=1)
        self._sure.append(sure.exp())
        self._right.append(first == labels)
        self._nll -= float(logs.gather(1, labels[:, None]).sum())

    def result(self) -> Reliability:
        """Of all batches so far; there must have been one."""
        sure, right = torch.cat(self._sure).tolist(), torch.cat(self._right).tolist()
        return Reliability(reliability(sure, right), self._nll / len(sure))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Logits (N, K), labels (N,) -> the temperature of the smallest mean of -ln p(label), in float64.

    That mean is convex in b = 1 / T, and its slope is the mean over images of E_p[logit] - logit[label]: the root is
    enclosed by bisection. Raises CalibrationError where it lies out of bounds (all answers are right, or all wrong).
    """
    centred = logits.double() - logits.double().amax(dim=1, keepdim=True)
    wanted = centred.gather(1, labels[:, None])[:, 0]

    def slope(b: float) -> float:
        return float(((centred * b).softmax(dim=1).mul(centred).sum(dim=1) - wanted).mean())

    low, high = math.log(1 / HIGHEST), math.log(1 / LOWEST)
    if not slope(math.exp(low)) < 0 < slope(math.exp(high)):
        first = float((logits.argmax(dim=1) == labels).double().mean())
        raise CalibrationError(
            f"no temperature from {LOWEST:g} to {HIGHEST:g} fits {len(labels)} held-out images, of which {first:.0%} "
            "are answered rightly: take more images, and images that the network was not trained on"
        )
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(math.exp(middle)) < 0 else (low, middle)
    return math.exp(-(low + high) / 2)
