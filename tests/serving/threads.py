"""Work in threads of its own, work that never ends, and waiting for what another thread does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import torch

from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.serving.service import InferenceService


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def forever(classifier: Classifier, started: threading.Event) -> None:
    """Never ends by itself: one forward pass after the other."""
    started.set()
    while True:
        classifier.network(torch.zeros(1, 3, 224, 224))


def start(service: InferenceService, work: Callable[[Classifier], object], **options: bool) -> threading.Thread:
    """The work in a thread of its own; whatever stops it is its caller's business."""

    def ask() -> None:
        with contextlib.suppress(Cancelled):
            service.run(work, **options)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def occupy(service: InferenceService, release: threading.Event) -> list[threading.Thread]:
    """Takes the only twin and every place in the queue until released."""
    threads = [threading.Thread(target=service.run, args=(lambda _: release.wait(20),)) for _ in range(3)]
    threads[0].start()
    wait_until(lambda: service.load == (1, 0))
    for waiting, thread in enumerate(threads[1:], 1):
        thread.start()
        wait_until(lambda waiting=waiting: service.load == (1, waiting))
    return threads
