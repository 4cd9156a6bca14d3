"""How far a map moves: with twice the points, by an adaptive rule's last doubling, from seed to seed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inception_model.attribution import explain
from inception_model.inference.classifier import Classifier
from inception_model.trust import CHECKS, QUICK, Case, evidence
from inception_model.trust.convergence import Convergence, convergence, extra_images
from tests.compare import relative_norm


@pytest.mark.parametrize("method", ["integrated_gradients", "layer_conductance"])
def test_a_rule_of_fixed_places_is_compared_with_twice_as_many(
    tiny_classifier: Classifier, x: Tensor, method: str
) -> None:
    known, twice = (explain(tiny_classifier, x, method, "aux1", options={"steps": steps}) for steps in (6, 12))
    found = convergence(Case(tiny_classifier, x, known))
    assert (found.points, found.more) == (6, 12)
    assert found.moved == pytest.approx(relative_norm(known.values, twice.values), rel=1e-5)
    assert found.passed is (found.moved <= found.threshold)
    assert "From 6 to 12 points" in found.sentence
    assert extra_images(known) == 12


def test_a_sum_that_was_forced_closes_but_has_not_converged(tiny_classifier: Classifier, x: Tensor) -> None:
    """The smallest change of the values that makes the sum right passes completeness; the map is as far off."""
    coarse = explain(tiny_classifier, x, "integrated_gradients", options={"steps": 2})
    assert coarse.delta is not None
    forced = replace(coarse, values=coarse.values - coarse.delta / coarse.values.numel())
    closes, moves = evidence(tiny_classifier, x, forced, ("completeness", "convergence")).evidence
    assert closes.passed is True
    assert moves.passed is False
    assert "not settled" in moves.sentence


def test_an_adaptive_rule_knows_its_last_doubling(tiny_classifier: Classifier, x: Tensor) -> None:
    known = explain(tiny_classifier, x, "integrated_gradients", "aux1", options={"rule": "adaptive", "limit": 60})
    assert known.integration is not None
    found = convergence(Case(tiny_classifier, x, known))
    assert found.moved == known.integration.moved
    assert found.more == known.integration.points
    assert extra_images(known) == 0


def test_a_sampled_method_is_asked_five_times(tiny_classifier: Classifier, x: Tensor) -> None:
    options = {"samples": 2, "sigma": 0.3, "seed": 7}
    known = explain(tiny_classifier, x, "smoothgrad", "aux1", options=options)
    maps = torch.stack(
        [explain(tiny_classifier, x, "smoothgrad", "aux1", options={**options, "seed": 7 + n}).values for n in range(5)]
    )
    apart = [relative_norm(values, maps.mean(0)) for values in maps]
    found = convergence(Case(tiny_classifier, x, known))
    assert found.moved == pytest.approx(sum(apart) / 5, rel=1e-4)
    assert found.distances == pytest.approx(apart, rel=1e-4)
    assert "over 5 seeds" in found.sentence
    assert extra_images(known) == 8
    still = explain(tiny_classifier, x, "smoothgrad", "aux1", options={"samples": 1, "sigma": 0})
    assert convergence(Case(tiny_classifier, x, still)).passed is True


def test_what_neither_integrates_nor_draws_promises_nothing(tiny_classifier: Classifier, x: Tensor) -> None:
    known = explain(tiny_classifier, x, "saliency", "aux1")
    found = convergence(Case(tiny_classifier, x, known))
    assert found == Convergence("Saliency (gradient)", None)
    assert found.passed is None
    assert "nothing to repeat" in found.sentence
    assert "convergence" in CHECKS
    assert "convergence" in QUICK
