"""How one caller waits: for whom, how long at most, and what is asked and told meanwhile."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from ..progress import Cancelled, Progress
from .job import POLL_SECONDS, Job
from .turns import Place

PATIENCE = 300.0
"""Seconds that anything may wait for its turn; after that whoever asked for it has long stopped to look."""
Line = Callable[[Place | None], object]
"""Is told the place in the queue whenever it changes, and None once the turn has come."""


@dataclass(frozen=True)
class Waiter:
    """A caller, and what ends the wait: `cancel`, `timeout` seconds from now, or `poll`, which may raise."""

    user: Hashable = None
    timeout: float | None = None
    cancel: threading.Event | None = None
    progress: Progress | None = None
    poll: Callable[[], object] | None = None
    line: Line | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def watches(self) -> bool:
        """Whether anything has to be done while waiting."""
        return any(thing is not None for thing in (self.timeout, self.cancel, self.progress, self.poll, self.line))

    @property
    def deadline(self) -> float:
        """When it stops to wait (monotonic)."""
        return math.inf if self.timeout is None else self.since + self.timeout

    @property
    def begins_until(self) -> float:
        """When it is too late to begin."""
        return min(self.deadline, self.since + PATIENCE)

    def go_on(self) -> None:
        """Raises Cancelled, TimeoutError, or what `poll` raises."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("cancelled")
        if time.monotonic() >= self.deadline:
            raise TimeoutError(f"not done after {self.timeout:g} s: the machine is busy, or the work is too large")
        if self.poll is not None:
            self.poll()

    def wait(self, job: Job, place_of: Callable[[Job], Place | None]) -> None:
        """Until the job has finished."""
        told: tuple[int, int] | None = None
        stood: Place | None = None
        while not job.finished.wait(POLL_SECONDS if self.watches else None):
            self.go_on()
            if self.line is not None and (place := place_of(job)) != stood:
                stood = place
                self.line(place)
            if self.progress is not None and job.steps is not None and job.steps != told:
                told = job.steps
                self.progress(*told)
