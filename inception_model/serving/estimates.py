"""How long a piece of work will take on this machine: measured constants at first, then the work's own last runs."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from statistics import median
from typing import TypeVar

T = TypeVar("T")

KEPT = 5
"""Runs that are remembered of every kind of work."""


class Estimates:
    """Seconds by kind of work. `work` is its size in forward passes of one image, by the constants that the kind has.

    Until a kind has run here, its size is multiplied by `unit()`, the seconds of a forward pass; afterwards only its
    own runs count, those of the nearest size, scaled by size: another kind's runs never do. Safe for many threads.
    """

    def __init__(self, unit: Callable[[], float], clock: Callable[[], float] = time.perf_counter) -> None:
        self._unit, self._clock = unit, clock
        self._runs: dict[Hashable, deque[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    def seconds(self, kind: Hashable, work: float) -> float:
        """What that much work of that kind will take."""
        with self._lock:
            runs = list(self._runs.get(kind, ()))
        if not runs:
            return work * self._unit()
        near = min(abs(math.log(size / work)) for size, _ in runs)
        paces = [took / size for size, took in runs if abs(math.log(size / work)) <= near + 0.1]
        return work * median(paces)

    def learn(self, kind: Hashable, work: float, seconds: float) -> None:
        """A run of that kind and size has taken so many seconds."""
        with self._lock:
            self._runs.setdefault(kind, deque(maxlen=KEPT)).append((work, seconds))

    def timed(self, kind: Hashable, compute: Callable[[], T], work: Callable[[T], float]) -> T:
        """What `compute` returns; its time is learnt for the size that `work` says of the answer, unless it raises."""
        started = self._clock()
        found = compute()
        self.learn(kind, work(found), self._clock() - started)
        return found
