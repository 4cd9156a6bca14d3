"""Rules along the path: captum's own with the same places, known integrals, and the adaptive rule's honest end."""

from __future__ import annotations

import threading

import pytest
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from inception_model.analysis.conductance import credit_ledger
from inception_model.attribution import METHODS
from inception_model.attribution.gradients import gradient, integrated_gradients
from inception_model.attribution.task import Clock, Task
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.progress import Cancelled
from tests.attribution.asking import ask
from tests.compare import assert_close, relative_norm
from tests.random_networks import SMALL


@pytest.fixture(scope="module")
def small(x: Tensor) -> Tensor:
    """The image of the other files, smaller: paths of hundreds of gradients are long."""
    return nn.functional.interpolate(x, size=(SMALL, SMALL), mode="area")


def test_midpoints_are_captums_riemann_middle(exact: Classifier, small: Tensor) -> None:
    result = ask(exact, small, "integrated_gradients", target=3, options={"steps": 20})
    network, start = exact.twin().network, baseline("black", small.double(), exact.preprocessing)
    expected = IntegratedGradients(network).attribute(
        small.double(), start, target=3, n_steps=20, method="riemann_middle"
    )
    assert_close(result.values, expected[0].float(), 1e-5)
    assert result.options["rule"] == "midpoint"
    assert result.integration is not None
    assert result.integration.words == "The midpoint rule with 20 points."


@pytest.fixture(scope="module")
def credits(classifier: Classifier, x: Tensor) -> Tensor:
    """Of the channels of 4a, by the ledger."""
    start = baseline("black", x, classifier.preprocessing)
    return credit_ledger(classifier, x, start, Target(3), steps=96, error=None).channels["4a"]


@pytest.mark.parametrize("layer", ["4a", "4a:3x3"])
def test_conductance_by_midpoints_nears_the_ledgers_credit(
    layer: str, classifier: Classifier, credits: Tensor, x: Tensor
) -> None:
    """Captum's sum loses the path's two ends: with as many points it lies further off."""
    block = classifier.network.spec.block("4a")
    expected = credits[block.channels("3x3")] if ":" in layer else credits
    apart = {}
    for rule in ("midpoint", "gauss-legendre"):
        found = ask(classifier, x, "layer_conductance", target=3, layer=layer, options={"rule": rule, "steps": 48})
        apart[rule] = relative_norm(found.values.sum((1, 2)), expected)
    assert apart["midpoint"] < 0.03
    assert apart["midpoint"] < apart["gauss-legendre"] / 2


@pytest.mark.parametrize("rule", ["midpoint", "gauss-legendre", "adaptive"])
def test_a_score_that_is_linear_along_the_path_is_integrated_exactly(
    rule: str, exact: Classifier, small: Tensor
) -> None:
    """From the image to nearly itself no ReLU turns over: the path integral is gradient times difference."""
    near = small.double() * (1 - 1e-9)
    options = {**METHODS["integrated_gradients"].defaults, "rule": rule, "steps": 5}
    task = Task(exact, small.double(), near, "main", Target(3), None, options, Clock(1000))
    assert_close(integrated_gradients(task), gradient(task) * (task.x - near), 1e-6)


def test_the_adaptive_rule_closes_the_sum_or_says_that_it_did_not(classifier: Classifier, small: Tensor) -> None:
    plain = ask(classifier, small, "integrated_gradients", target=3, options={"steps": 200})
    found = ask(classifier, small, "integrated_gradients", target=3, options={"rule": "adaptive", "error": 0.5})
    path = found.integration
    assert path is not None
    assert path.met is True
    assert 49 <= path.points == path.gradients <= 400
    assert found.completeness_error is not None
    assert found.completeness_error < 0.0055  # half a percent, and float32's rounding
    assert relative_norm(found.values, plain.values) < 0.1
    assert "fell below 0.5%" in path.words
    short = ask(classifier, small, "integrated_gradients", options={"rule": "adaptive", "error": 0.05, "limit": 50})
    assert short.integration is not None
    if not short.integration.met:
        assert "the limit of 50 gradients was reached" in short.integration.words
    assert short.integration.points in (49, 50)


def test_the_adaptive_rule_can_be_stopped(classifier: Classifier, small: Tensor) -> None:
    cancel = threading.Event()

    def stop(done: int, total: int) -> None:
        if done >= 49:
            cancel.set()

    with pytest.raises(Cancelled):
        ask(
            classifier, small, "integrated_gradients", options={"rule": "adaptive", "error": 0.05},
            progress=stop, cancel=cancel,
        )  # fmt: skip
