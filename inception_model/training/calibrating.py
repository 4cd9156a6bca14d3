"""Temperatures for a network: fitted on held-out training images, measured on validation images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..architecture.network import GoogLeNet
from ..architecture.spec import HeadName
from ..images.preprocessing import Preprocessing
from .calibration import Calibration, CalibrationError, HeadCalibration, ReliabilityMeter, fit_temperature
from .data import LabelledImages
from .evaluation import answers

Told = Callable[[int], None]


def calibrate(
    network: GoogLeNet,
    heads: Sequence[HeadName],
    held_out: LabelledImages,
    validation: LabelledImages,
    preprocessing: Preprocessing,
    *,
    data: str,
    batch: int,
    progress: Told = lambda images: None,
) -> Calibration:
    """A temperature for each of the (trained) heads of a network in eval mode, and what it changes.

    `held_out`: training images that the network did not learn from, which decide the temperatures; `validation`: others
    to measure on. `data`: what they are called. `progress` is told how many more images were seen. Raises
    CalibrationError where an image is in both, or no temperature fits.
    """
    if shared := set(held_out.encoded) & set(validation.encoded):
        raise CalibrationError(
            f"{len(shared)} of {len(held_out)} held-out images are validation images as well: what a temperature is "
            "fitted on can't show what it is worth; split the data into train and validation"
        )
    logits: dict[HeadName, list[Tensor]] = {head: [] for head in heads}
    labels: list[Tensor] = []
    for found, right in answers(network, held_out, preprocessing, batch=batch):
        for head in heads:
            logits[head].append(found.of(head))
        labels.append(right)
        progress(len(right))
    fitted = {head: _fitted(head, torch.cat(logits[head]), torch.cat(labels)) for head in heads}
    meters = {head: (ReliabilityMeter(), ReliabilityMeter(fitted[head])) for head in heads}
    for found, right in answers(network, validation, preprocessing, batch=batch):
        for head in heads:
            for meter in meters[head]:
                meter.add(found.of(head), right)
        progress(len(right))
    measured = {
        head: HeadCalibration(fitted[head], before.result(), after.result()) for head, (before, after) in meters.items()
    }
    return Calibration(data, len(held_out), len(validation), measured)


def _fitted(head: HeadName, logits: Tensor, labels: Tensor) -> float:
    try:
        return fit_temperature(logits, labels)
    except CalibrationError as error:
        raise CalibrationError(f"{head}: {error}") from None
