"""Side-by-side timing: the contestants take turns, so that a busy machine disturbs them alike."""

from __future__ import annotations

import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds of one contestant over all rounds."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of all rounds."""
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        """The fastest round: what the machine can do undisturbed."""
        return min(self.seconds)


def interleaved(contestants: dict[str, Callable[[], object]], *, rounds: int, warmup: int = 3) -> list[Timing]:
    """Runs every contestant once per round, in turns, and keeps each one's seconds.

    Every round goes in another order, or one contestant would always run on the caches that the same other one left.
    """
    order = random.Random(0)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for round_number in range(-warmup, rounds):
        for name in order.sample(list(contestants), len(contestants)):
            start = time.perf_counter()
            contestants[name]()
            if round_number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return [Timing(name, tuple(found)) for name, found in seconds.items()]


def print_machine() -> None:
    """One line on what this was measured with."""
    print(
        f"{platform.machine()}, {torch.get_num_threads()} torch threads, torch {torch.__version__}, "
        f"Python {platform.python_version()}"
    )


def print_ratios(timings: Sequence[Timing], reference: str) -> None:
    """A table of medians, best rounds and both ratios to the reference's."""
    base = next(timing for timing in timings if timing.name == reference)
    width = max(len(timing.name) for timing in timings)
    print(f"{'':{width}}  {'median':>10}  {'best':>10}  {'of median':>9}  {'of best':>9}")
    for timing in timings:
        print(
            f"{timing.name:{width}}  {timing.median * 1e3:7.1f} ms  {timing.best * 1e3:7.1f} ms  "
            f"{timing.median / base.median:8.2f}x  {timing.best / base.best:8.2f}x"
        )
