"""Promises of time: constants at first, then a kind's own runs alone, told by a clock that the test moves."""

from __future__ import annotations

import pytest

from inception_model.serving.estimates import KEPT, Estimates


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> float:
        self.now += seconds
        return seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_kind_that_never_ran_takes_its_size_in_forward_passes(clock: Clock) -> None:
    assert Estimates(lambda: 0.02, clock).seconds("saliency", 3.0) == pytest.approx(0.06)


def test_only_a_kinds_own_runs_change_its_promise(clock: Clock) -> None:
    estimates = Estimates(lambda: 0.02, clock)
    assert estimates.timed("slow", lambda: clock.move(3), lambda _: 10.0) == 3
    assert estimates.seconds("slow", 10) == pytest.approx(3)
    assert estimates.seconds("slow", 20) == pytest.approx(6)
    assert estimates.seconds("quick", 10) == pytest.approx(0.2)


def test_the_nearest_size_speaks_and_one_slow_run_does_not(clock: Clock) -> None:
    estimates = Estimates(lambda: 1.0, clock)
    estimates.learn("map", 100, 500)
    for seconds in (2, 2.1, 30):
        estimates.learn("map", 10, seconds)
    assert estimates.seconds("map", 10) == pytest.approx(2.1)
    assert estimates.seconds("map", 200) == pytest.approx(1000)
    for _ in range(KEPT):
        estimates.learn("map", 10, 1)
    assert estimates.seconds("map", 10) == pytest.approx(1)


def test_work_that_fails_teaches_nothing(clock: Clock) -> None:
    estimates = Estimates(lambda: 1.0, clock)

    def fail() -> float:
        clock.move(50)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        estimates.timed("map", fail, lambda _: 1.0)
    assert estimates.seconds("map", 2) == 2
