"""Looks that many people ask for at the same moment: one batch after the other, or each a thread of its own."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable

import torch

from inception_model.checkpoints.store import load
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.trace import Trace, capture
from inception_model.serving.batches import Batches
from inception_model.serving.waiter import Waiter

from .timing import print_machine

PEOPLE = 8
ROUNDS = 9
TITLE = f"{PEOPLE} full looks at the same moment, with and without batches (float32, CPU)"

Look = Callable[[int], Trace]


def crowd(look: Look) -> list[float]:
    """Seconds until each of the people has their trace, in the order in which they got it."""
    door, seconds = threading.Barrier(PEOPLE + 1), list[float]()

    def ask(i: int) -> None:
        door.wait()
        started = time.perf_counter()
        look(i)
        seconds.append(time.perf_counter() - started)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(PEOPLE)]
    for thread in threads:
        thread.start()
    door.wait()
    for thread in threads:
        thread.join()
    return sorted(seconds)


def contestants(classifier: Classifier, images: torch.Tensor) -> dict[str, Look]:
    """Ways to answer everybody."""

    def batched(most: int) -> Look:
        passes = Batches(classifier, most=most)
        return lambda i: passes.trace(lambda: images[i : i + 1], Waiter(i))

    return {
        "each a thread of its own": lambda i: capture(classifier, images[i : i + 1]),
        "in turn, one at a time": batched(1),
        **{f"in turn, batches of {most}": batched(most) for most in (2, 4, PEOPLE)},
    }


def main() -> None:
    """Prints one table; the ways take turns, so that a busy machine disturbs them alike."""
    classifier = build(load("tiny-imagenet"), "cpu")
    images = torch.randn(PEOPLE, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    ways = contestants(classifier, images)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for number in range(-2, ROUNDS):
        for name, look in ways.items():
            busy = time.process_time()
            seconds = crowd(look)
            if number >= 0:
                found[name].append((statistics.median(seconds), seconds[-1], time.process_time() - busy))
    print_machine()
    print(f"{os.cpu_count()} cores, load of the machine over the last minute {os.getloadavg()[0]:.1f}")
    print(f"{'':26}{'median person':>16}{'last person':>16}{'processor':>16}")
    for name, rounds in found.items():
        columns = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:26}" + "".join(f"{value * 1e3:13.0f} ms" for value in columns))
