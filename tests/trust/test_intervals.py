"""The bootstrap's interval beside what statistics knows about means."""

from __future__ import annotations

import numpy as np
import pytest

from inception_model.trust import intervals
from inception_model.trust.intervals import bootstrap_interval


def test_the_interval_is_the_normal_one_where_the_values_are_many() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, 4000)
    low, high = bootstrap_interval(values.tolist(), seed=0)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.15 * half)


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
