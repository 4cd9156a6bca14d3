"""Long computations beside the page: a thread waits for them, the page can ask how far they are and stop them.

Every answer is remembered under its own key, so that what is known is never calculated again. A `slot` is a place on
the page: when it asks something else, what it asked before is cancelled and its worker is free. What is drawn meanwhile
is in `widgets.progress`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.state import network, session
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress
from inception_model.serving.service import InferenceService

Compute = Callable[[Classifier, Progress, threading.Event], Any]
"""The calculation itself, on a twin of its own; it must report its progress or run the network, to be stoppable."""


@dataclass(frozen=True)
class Job:
    """A calculation about one photo and the network: the key under which it is remembered, and how it is made."""

    key: Hashable
    compute: Compute


@dataclass(eq=False)
class Work:
    """What one slot asked for. `steps`: done and in all; `error`: why there is no answer."""

    wanted: Hashable
    cancel: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    steps: tuple[float, float] = (0, 1)
    error: Exception | None = None
    low_priority: bool = False

    @property
    def running(self) -> bool:
        """Whether an answer may still come."""
        return not self.finished.is_set() and not self.cancel.is_set()

    def run(self, service: InferenceService, sha256: str, jobs: Sequence[Job]) -> None:
        """One job after the other; on the thread that waits, never on a worker: workers must not wait for others."""
        try:
            for number, job in enumerate(jobs):
                service.remember((sha256, job.key), partial(self._one, service, number, len(jobs), job.compute))
        except Exception as error:  # shown, or raised again, by the page
            self.error = error
        finally:
            self.finished.set()

    def _one(self, service: InferenceService, number: int, jobs: int, compute: Compute) -> Any:
        def progress(done: int, total: int) -> None:
            self.steps = (number + done / max(1, total), jobs)

        return service.run(
            lambda twin, progress: compute(twin, progress, self.cancel),
            cancel=self.cancel,
            progress=progress,
            low_priority=self.low_priority,
        )


def _works() -> dict[str, Work]:
    found: dict[str, Work] | None = session.get("works", None)
    if found is None:
        found = {}
        session.put("works", found)
    return found


def work_of(slot: str) -> Work | None:
    """What the slot is doing or did last."""
    return _works().get(slot)


def wanted(jobs: Sequence[Job], about: str) -> Hashable:
    """What makes two requests of a slot the same: the photo's hash, the network, and the jobs' keys."""
    return about, network.classifier_key(), tuple(job.key for job in jobs)


def start(slot: str, jobs: Sequence[Job], about: str, low_priority: bool = False) -> Work:
    """Begins the jobs in a thread, for one photo's hash and the network; what the slot did before is cancelled."""
    before = work_of(slot)
    if before is not None:
        before.cancel.set()
    work = _works()[slot] = Work(wanted(jobs, about), low_priority=low_priority)
    threading.Thread(
        target=work.run, args=(network.service(), about, tuple(jobs)), daemon=True, name=f"work-{slot}"
    ).start()
    return work


def stop(prefix: str) -> None:
    """Cancels whatever the slots with names that begin so are asking for."""
    for slot, work in _works().items():
        if slot.startswith(prefix):
            work.cancel.set()
