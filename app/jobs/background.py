"""Long computations beside the page: a thread waits for them, the page can ask how far they are and stop them.

Every answer is remembered under its own key, so that what is known is never calculated again, and what several ask is
calculated once. A `slot` is a place on the page: when it asks something else or its page is left, what it asked before
is cancelled; when its visitor leaves, so is all that they asked. Where nobody else waits for it, its worker is free.
What is drawn meanwhile is in `widgets.progress`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.state import network, session, visitors
from inception_model.progress import Cancelled
from inception_model.serving.service import InferenceService, Place, Shared

Compute = Shared[Any]
"""The calculation itself, on a twin of its own; it must report its progress or run the network, to be stoppable."""


_RUN, _PAGE, _WISHES = "works.run", "works.page", "works.wishes"


@dataclass(frozen=True)
class Job:
    """A calculation about one photo and the network: the key under which it is remembered, and how it is made."""

    key: Hashable
    compute: Compute


@dataclass(eq=False)
class Work:
    """What one slot asked for. `steps`: done and in all; `place`: where it waits for its turn, None once that has come;
    `error`: why there is no answer.

    `visitor`: who asked; `abandoned`: they left before it was done. `page` and `run`: where and in which whole run of
    the script the slot was last asked for.
    """

    wanted: Hashable
    visitor: str | None = None
    page: str = ""
    run: int = 0
    abandoned: bool = False
    cancel: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    steps: tuple[float, float] = (0, 1)
    place: Place | None = None
    error: Exception | None = None
    low_priority: bool = False

    @property
    def running(self) -> bool:
        """Whether an answer may still come."""
        return not self.finished.is_set() and not self.cancel.is_set()

    def do(self, service: InferenceService, sha256: str, jobs: Sequence[Job]) -> None:
        """One job after the other; on the thread that waits, never on a worker: workers must not wait for others."""
        try:
            for number, job in enumerate(jobs):
                service.share(
                    (sha256, job.key),
                    job.compute,
                    user=self.visitor,
                    cancel=self.cancel,
                    progress=partial(self._progress, number, len(jobs)),
                    poll=self._still_wanted,
                    line=self._stands,
                    low_priority=self.low_priority,
                )
        except Exception as error:  # shown, or raised again, by the page
            self.error = error
        finally:
            self.finished.set()

    def _progress(self, number: int, jobs: int, done: int, total: int) -> None:
        self.steps = (number + done / max(1, total), jobs)

    def _stands(self, place: Place | None) -> None:
        self.place = place

    def _still_wanted(self) -> None:
        if not visitors.is_here(self.visitor):
            self.abandoned = True
            raise Cancelled("its visitor has left")


def _works() -> dict[str, Work]:
    found: dict[str, Work] | None = session.get("works", None)
    if found is None:
        found = {}
        session.put("works", found)
    return found


def work_of(slot: str) -> Work | None:
    """What the slot is doing or did last."""
    return _works().get(slot)


def asked(slot: str) -> Work | None:
    """The same, and the slot is still on the page (see `tidy`)."""
    work = work_of(slot)
    if work is not None:
        work.run = session.get(_RUN, 0)
    return work


def enter(page: str) -> None:
    """A whole run of the script begins on this page: what other pages asked for is cancelled and forgotten."""
    session.put(_RUN, session.get(_RUN, 0) + 1)
    if page != session.get(_PAGE, page):
        session.put(_WISHES, set())
    session.put(_PAGE, page)
    _forget(lambda work: work.page != page)


def tidy() -> None:
    """A whole run of the script has ended: what no slot has asked for in it is cancelled and forgotten."""
    run = session.get(_RUN, 0)
    _forget(lambda work: work.run != run)


def _forget(unwanted: Callable[[Work], bool]) -> None:
    for slot, work in list(_works().items()):
        if unwanted(work):
            work.cancel.set()
            del _works()[slot]


def wanted(jobs: Sequence[Job], about: str) -> Hashable:
    """What makes two requests of a slot the same: the photo's hash, the network, and the jobs' keys."""
    return about, network.classifier_key(), tuple(job.key for job in jobs)


def start(slot: str, jobs: Sequence[Job], about: str, low_priority: bool = False) -> Work:
    """Begins the jobs in a thread, for one photo's hash and the network; what the slot did before is cancelled."""
    before = work_of(slot)
    if before is not None:
        before.cancel.set()
    work = _works()[slot] = Work(
        wanted(jobs, about), visitors.visitor(), session.get(_PAGE, ""), session.get(_RUN, 0), low_priority=low_priority
    )
    threading.Thread(
        target=work.do, args=(network.service(), about, tuple(jobs)), daemon=True, name=f"work-{slot}"
    ).start()
    return work


def wish(slot: str) -> None:
    """The slot's jobs are to begin with the next run that asks for them on this page, as they are asked for then."""
    session.put(_WISHES, {*session.get(_WISHES, ()), slot})


def wished(slot: str) -> bool:
    """Whether there is such a wish, which is then fulfilled."""
    wishes: set[str] = session.get(_WISHES, set())
    if slot not in wishes:
        return False
    session.put(_WISHES, wishes - {slot})
    return True


def stop(prefix: str) -> None:
    """Cancels whatever the slots with names that begin so are asking for."""
    for slot, work in _works().items():
        if slot.startswith(prefix):
            work.cancel.set()
