"""Infidelity and sensitivity: captum called directly, and cases whose value is known."""

from __future__ import annotations

import captum.attr
import captum.metrics
import pytest
import torch
from torch import Tensor

from inception_model.attribution import explain
from inception_model.attribution.captum_metrics import (
    covering_squares,
    infidelity,
    uniform_noise,
)
from inception_model.inference.classifier import Classifier
from inception_model.trust.fidelity import measure_infidelity, measure_sensitivity
from tests.compare import relative_norm
from tests.random_networks import SMALL, noise_images
from tests.trust.cases import Stubborn, case_of


def test_a_linear_score_is_foretold_without_error() -> None:
    weights, x = noise_images(2, seed=2).split(1)
    covers = torch.full_like(x, 0.3)

    def score(images: Tensor) -> Tensor:
        return (images * weights).sum((1, 2, 3))

    scale = infidelity(score, x, torch.zeros_like(x), covering_squares(covers, 56, 0, slopes=True), 12)
    slopes = infidelity(score, x, weights, covering_squares(covers, 56, 0, slopes=True), 12)
    effects = infidelity(score, x, weights * (x - covers), covering_squares(covers, 56, 0, slopes=False), 12)
    assert scale > 1
    assert slopes / scale < 1e-4
    assert effects / scale < 1e-4


@pytest.mark.parametrize("method", ["guided_backprop", "integrated_gradients"])
def test_infidelity_is_captums(tiny_classifier: Classifier, x: Tensor, method: str) -> None:
    case = case_of(tiny_classifier, x, method, **({"options": {"steps": 4}} if method.startswith("integ") else {}))
    known, slopes = case.attribution, method == "guided_backprop"
    covers = torch.zeros_like(x) if known.baselines is None else known.baselines
    wanted = captum.metrics.infidelity(
        lambda images: tiny_classifier.network(images)[:, known.target.index],
        covering_squares(covers, SMALL // 4, 3, slopes=slopes),
        x,
        known.values[None],
        n_perturb_samples=12,
        max_examples_per_batch=8,
        normalize=True,
    )
    found = measure_infidelity(case, samples=12, seeds=(3,))
    assert found.value == pytest.approx(float(wanted), rel=1e-4)
    assert found.passed == (found.value < found.uniform)


def test_squares_cover_what_they_say() -> None:
    x, covers = noise_images(3, seed=6), torch.full((1, 3, 224, 224), 9.0)
    change, covered = covering_squares(covers, 56, 0, slopes=True)(x)
    assert torch.equal(x - change, covered)
    assert (covered == 9).sum((1, 2, 3)).tolist() == [3 * 56 * 56] * 3
    mask, again = covering_squares(covers, 56, 0, slopes=False)(x)
    assert torch.equal(again, covered)
    assert torch.equal(mask == 1, covered == 9)


def test_sensitivity_is_captums_and_zero_for_a_map_that_never_changes(tiny_classifier: Classifier, x: Tensor) -> None:
    case = case_of(tiny_classifier, x, "saliency")
    index = case.attribution.target.index
    # One grey level of 255 in each of the preprocessing's colours.
    radius = 1 / 255 / torch.tensor(tiny_classifier.preprocessing.std).view(1, 3, 1, 1)

    def gradient(images: tuple[Tensor, ...] | Tensor) -> tuple[Tensor, ...] | Tensor:
        method = captum.attr.Saliency(tiny_classifier.network)
        found = method.attribute(images, target=index, abs=False)
        return (found[0].contiguous(),) if isinstance(found, tuple) else found.contiguous()

    wanted = captum.metrics.sensitivity_max(
        gradient,
        x,
        perturb_func=uniform_noise(radius, 0),
        n_perturb_samples=3,
        max_examples_per_batch=1,
    )
    found = measure_sensitivity(case, samples=3, seeds=(0,))
    assert found.value == pytest.approx(float(wanted), rel=1e-3)
    noise = uniform_noise(radius, 0)  # and by hand: the same three copies, one after the other
    remade = [explain(tiny_classifier, noise(x), "saliency", target=index).values for _ in range(3)]
    assert found.value == pytest.approx(max(relative_norm(values, case.attribution.values) for values in remade))
    assert measure_sensitivity(Stubborn(tiny_classifier, x, case.attribution), samples=2).value == 0
    # The noise's share of a sum is rounded as the sum is.
    assert float((uniform_noise(radius, 0)(x) - x).abs().max()) <= float(radius.max()) + 1e-6 * float(x.abs().max())
