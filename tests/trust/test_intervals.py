"""The bootstrap's interval beside what statistics knows about means."""

from __future__ import annotations

import numpy as np
import pytest

from inception_model.trust import intervals
from inception_model.trust.intervals import bootstrap_interval, bootstrap_interval_of_classes, mean_of_classes


def test_the_interval_is_the_normal_one_where_the_values_are_many() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, 4000)
    low, high = bootstrap_interval(values.tolist(), seed=0)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert values.mean() - low == pytest.approx(half, rel=0.15)
    assert high - values.mean() == pytest.approx(half, rel=0.15)


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    samples = np.random.default_rng(4).exponential(1.0, (200, 60))
    caught = [low <= 1.0 <= high for low, high in (bootstrap_interval(row, 1, 0.8) for row in samples)]
    assert 0.7 < np.mean(caught) < 0.88


def test_equal_values_leave_no_doubt_and_a_seed_repeats() -> None:
    assert bootstrap_interval([0.25] * 9, seed=0) == (0.25, 0.25)
    values = [0.0, 1.0, 4.0, 9.0]
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1, level=0.5) != bootstrap_interval(values, seed=1)


def test_parts_change_nothing_but_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.0, 1.0, 4.0, 9.0, 2.0]
    whole = bootstrap_interval(values, seed=1)
    monkeypatch.setattr(intervals, "_AT_ONCE", 35)
    assert bootstrap_interval(values, seed=1) == pytest.approx(whole, rel=1e-12)


def test_without_values_there_is_no_interval() -> None:
    with pytest.raises(ValueError, match="got 0 values"):
        bootstrap_interval([], seed=0)
    with pytest.raises(ValueError, match="level"):
        bootstrap_interval([1.0], seed=0, level=1.0)


def test_a_rate_is_caught_as_often_as_it_says() -> None:
    """Hits are binomial: of 300 samples of 120 about 95% of the intervals must hold the true rate."""
    samples = (np.random.default_rng(5).random((300, 120)) < 0.7).astype(float)
    caught = [low <= 0.7 <= high for low, high in (bootstrap_interval(row.tolist(), 1) for row in samples)]
    assert 0.91 < np.mean(caught) < 0.98


def test_means_of_classes_are_caught_too_and_equal_the_plain_mean_of_equal_classes() -> None:
    labels = np.repeat([0, 1, 2, 3], [10, 20, 40, 80])
    rates = np.array([0.2, 0.5, 0.7, 0.9])
    random = np.random.default_rng(6)
    caught = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 500)  # many intervals tell more here than fine ones
        for _ in range(200):
            hits = (random.random(len(labels)) < rates[labels]).astype(float)
            low, high = bootstrap_interval_of_classes(hits.tolist(), labels.tolist(), seed=2)
            caught.append(low <= rates.mean() <= high)
    assert 0.88 < np.mean(caught) < 0.99
    values = random.random(60).tolist()
    assert mean_of_classes(values, [4] * 60) == pytest.approx(np.mean(values), rel=1e-12)
    one, plain = bootstrap_interval_of_classes(values, [4] * 60, seed=0), bootstrap_interval(values, seed=0)
    assert one == pytest.approx(plain, rel=0.02)
    with pytest.raises(ValueError, match="got 1, 2"):
        bootstrap_interval_of_classes([1.0], [0, 1], seed=0)
