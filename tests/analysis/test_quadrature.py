"""Rules for path integrals: known integrals, the search for places, and its honest end."""

from __future__ import annotations

import numpy as np
import pytest

from inception_model.analysis.quadrature import LIMIT, RULES, START, Integration, Partition, joined


@pytest.mark.parametrize(("rule", "degree"), [("midpoint", 1), ("gauss-legendre", 11)])
def test_a_rule_is_exact_for_polynomials_up_to_its_degree(rule: str, degree: int) -> None:
    places, weights = RULES[rule](6)
    assert weights.sum() == pytest.approx(1)
    for power in range(degree + 1):
        assert weights @ places**power == pytest.approx(1 / (power + 1), rel=1e-12)
    assert weights @ places ** (degree + 1) != pytest.approx(1 / (degree + 2), rel=1e-12)


def search(kinks: np.ndarray, wanted: float, limit: int = LIMIT) -> Partition:
    """The adaptive rule on a score that is piecewise linear, with a slope that rises by 1 at every kink."""
    path = Partition()
    while len(path) < limit and not (path.started and path.error < wanted):
        places = path.next(min(17, limit - len(path)))
        scores = np.clip(places[:, None] - kinks, 0, None).sum(1)
        path.add(places, scores, (places[:, None] > kinks).sum(1).astype(float))
    return path


def test_places_gather_where_the_slope_jumps() -> None:
    kinks = np.array([0.3141, 0.3142, 0.3143, 0.9])
    path = search(kinks, 0.01)
    assert path.error < 0.01
    assert START < len(path) < 200
    near = np.abs(path.places[START:, None] - kinks).min(1) < 1 / (START - 1)
    assert near.all()
    integral = path.weights() @ path.slopes
    assert integral == pytest.approx(np.clip(1 - kinks, 0, None).sum(), rel=1e-4)
    assert path.weights().sum() == pytest.approx(1)


def test_half_of_the_places_are_a_rule_of_their_own() -> None:
    path = search(np.array([0.5001]), 0, limit=START)
    half = path.weights((START + 1) // 2)
    assert half.sum() == pytest.approx(1)
    assert np.count_nonzero(half) == (START + 1) // 2
    assert sorted(path.places[: (START + 1) // 2]) == pytest.approx(np.linspace(0, 1, (START + 1) // 2).tolist())


def test_the_limit_is_kept() -> None:
    assert len(search(np.random.default_rng(0).uniform(size=500), 0, limit=101)) == 101


def test_integrations_say_what_they_did() -> None:
    met = Integration("adaptive", 66, 66, 1.0, True, 0.03)
    over = Integration("adaptive", 400, 400, 1.0, False, 0.01)
    assert "fell below 1% with 66 points" in met.words
    assert "the limit of 400 gradients was reached before the error fell below 1%" in over.words
    both = joined([met, over])
    assert both == Integration("adaptive", 466, 466, 1.0, False, 0.03)
    assert joined([]) is None
    assert Integration("midpoint", 50, 50).words == "The midpoint rule with 50 points."
