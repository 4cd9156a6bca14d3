"""Temperatures and calibration errors against scipy and numpy on logits of a known temperature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor

from inception_model.architecture.probabilities import HIGHEST, LOWEST, probabilities
from inception_model.architecture.variants import tiny
from inception_model.training.calibrating import calibrate
from inception_model.training.calibration import (
    BINS,
    CalibrationError,
    ReliabilityMeter,
    calibration_error,
    fit_temperature,
    reliability,
)
from inception_model.training.data import LabelledImages, open_dataset
from inception_model.training.evaluation import answers
from tests.random_networks import random_classifier


def generated(temperature: float, images: int = 4000, classes: int = 20, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits whose labels are drawn from softmax(logits / temperature): the temperature that they need is known."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.5 * temperature, (images, classes))
    chances = np.exp(log_softmax(logits / temperature, axis=1))
    labels = (rng.random((images, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)


def mean_nll(logits: Tensor, labels: Tensor, temperature: float) -> float:
    values = log_softmax(logits.numpy().astype(np.float64) / temperature, axis=1)
    return float(-values[np.arange(len(labels)), labels.numpy()].mean())


@pytest.mark.parametrize("known", [0.4, 1.0, 1.7, 6.0])
def test_the_temperature_is_scipys_optimum_and_near_the_one_that_the_labels_were_drawn_with(known: float) -> None:
    logits, labels = generated(known)
    found = fit_temperature(logits, labels)
    best = minimize_scalar(
        lambda log: mean_nll(logits, labels, np.exp(log)), bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    assert found == pytest.approx(np.exp(best.x), rel=1e-5)
    assert mean_nll(logits, labels, found) <= best.fun * (1 + 1e-12)
    assert found == pytest.approx(known, rel=0.06), "sampling noise of 4000 labels"


def test_large_logits_are_no_problem() -> None:
    logits, labels = generated(2.0)
    assert fit_temperature(logits + 30_000, labels) == pytest.approx(fit_temperature(logits, labels), rel=1e-2)


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_are_all_right_or_all_wrong_fit_no_temperature(right: bool) -> None:
    logits = torch.eye(5) * 4
    labels = torch.arange(5) if right else (torch.arange(5) + 1) % 5
    said = "100%" if right else "0%"
    with pytest.raises(CalibrationError, match=f"5 held-out images, of which {said} are answered rightly: take more"):
        fit_temperature(logits, labels)


@pytest.mark.parametrize("temperature", [1.0, 1.9, 0.3])
def test_the_calibration_error_equals_a_computation_by_numpy_alone(temperature: float) -> None:
    logits, labels = generated(1.4, images=3000, seed=1)
    meter = ReliabilityMeter(temperature)
    for part in torch.arange(3000).split(257):
        meter.add(logits[part], labels[part])
    found = meter.result()
    chances = np.exp(log_softmax(logits.numpy().astype(np.float64) / temperature, axis=1))
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == labels.numpy()
    edges = np.linspace(0, 1, BINS + 1)
    counts, _ = np.histogram(sure, edges)
    sums, _ = np.histogram(sure, edges, weights=sure)
    hits, _ = np.histogram(sure, edges, weights=right.astype(float))
    assert [each.count for each in found.bins] == counts[counts > 0].tolist()
    assert [each.confidence for each in found.bins] == pytest.approx(sums[counts > 0] / counts[counts > 0], rel=1e-9)
    assert [each.accuracy for each in found.bins] == pytest.approx(hits[counts > 0] / counts[counts > 0], rel=1e-9)
    assert found.error == pytest.approx(np.abs(hits - sums).sum() / 3000, rel=1e-9)
    assert found.nll == pytest.approx(mean_nll(logits, labels, temperature), rel=1e-9)
    assert found.images == 3000


def test_reliability_bins_by_hand() -> None:
    bins = reliability([0.1, 0.2, 0.95, 1.0], [False, True, True, True], bins=2)
    assert [(b.count, b.accuracy) for b in bins] == [(2, 0.5), (2, 1.0)]
    assert [b.confidence for b in bins] == pytest.approx([0.15, 0.975])
    assert calibration_error(bins) == pytest.approx((2 * 0.35 + 2 * 0.025) / 4)
    with pytest.raises(ValueError, match="one verdict"):
        reliability([0.5], [])


def test_the_right_temperature_lowers_the_calibration_error_of_logits_that_are_too_sure() -> None:
    logits, labels = generated(3.0, seed=2)
    before, after = ReliabilityMeter(), ReliabilityMeter(fit_temperature(logits, labels))
    for meter in (before, after):
        meter.add(logits, labels)
    assert after.result().error < before.result().error / 5
    assert after.result().nll < before.result().nll


def test_probabilities_are_torchs_softmax_and_no_class_changes_its_place() -> None:
    logits = generated(1.0, images=200)[0]
    temperatures = {"aux1": 2.5, "main": 0.7}
    for head, value in (("aux1", 2.5), ("main", 0.7), ("aux2", 1.0), (None, 1.0)):
        found = probabilities(logits, head, temperatures)
        assert torch.equal(found, torch.softmax(logits / value, dim=1))
        assert torch.equal(found.argsort(dim=1, stable=True), logits.argsort(dim=1, stable=True))


def test_a_network_is_calibrated_on_one_part_and_measured_on_the_other(parquet: Path) -> None:
    """The held-out labels are the head's first answers, every third one its second."""
    classifier = random_classifier(tiny(3))
    network, preprocessing = classifier.network, classifier.preprocessing
    held_out, validation = open_dataset(parquet, "train").first(30), open_dataset(parquet, "validation")

    def logits_of(images: LabelledImages) -> Tensor:
        return torch.cat([heads.main for heads, _ in answers(network, images, preprocessing, batch=7)])

    first, second = logits_of(held_out).topk(2).values.mean(0).tolist()
    for parameter in (network.classifier.weight, network.classifier.bias):
        parameter.mul_(3 / (first - second))  # as it is, the network's answers are hardly surer than chance
    fit, measure = logits_of(held_out), logits_of(validation)
    given, right = (
        fit.topk(2).indices[torch.arange(30), (torch.arange(30) % 3 == 0).long()],
        torch.tensor(validation.labels),
    )
    seen: list[int] = []
    found = calibrate(
        network, ("main",), LabelledImages(held_out.encoded, given.numpy()), validation, preprocessing,
        data="colours", batch=10, progress=seen.append,
    )  # fmt: skip
    assert (sum(seen), found.data, found.fitted, found.measured, list(found.heads)) == (54, "colours", 30, 24, ["main"])
    best = minimize_scalar(
        lambda log: mean_nll(fit, given, np.exp(log)), bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    each = found.heads["main"]
    assert each.temperature == pytest.approx(np.exp(best.x), rel=1e-4)
    assert each.before.nll == pytest.approx(mean_nll(measure, right, 1.0), rel=1e-5)
    assert each.after.nll == pytest.approx(mean_nll(measure, right, each.temperature), rel=1e-5)
    assert each.before.images == each.after.images == 24


def test_images_that_are_in_both_parts_are_refused(parquet: Path) -> None:
    classifier, images = random_classifier(tiny(3)), open_dataset(parquet, "validation")
    with pytest.raises(CalibrationError, match=r"24 of 24 held-out images are validation images as well.*split"):
        calibrate(classifier.network, ("main",), images, images, classifier.preprocessing, data="same", batch=8)
