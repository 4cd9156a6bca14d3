"""The threads that work runs on: a bounded queue, a twin of the network for each, urgent work before the rest.

Of work that is alike urgent, users are served in turn.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Hashable, Iterator

import torch
from torch import nn

from ..inference.classifier import Classifier
from ..progress import Cancelled
from .ending import STOPPED, STOPPING
from .job import Job, stops_when_given_up
from .turns import Pace, Place, Turns

TURN_MISSED = "Its turn did not come in time, so it was not begun: others were before it. Try again in a moment."
SHARE = 8
"""One user's work may take an eighth of the places in the queue."""
_GOODBYE_SECONDS = 5.0


class BusyError(RuntimeError):
    """Every place in the queue, or every one that a user may take, is taken, or the memory is; the message says so."""


def memory_told(error: BaseException) -> BaseException:
    """The error itself; where the memory was not enough, a BusyError that says so.

    Python has MemoryError and torch OutOfMemoryError for a GPU; torch's allocator on the CPU has only words.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    ):
        return BusyError("The memory of this machine was not enough for that just now: try again in a moment.")
    return error


class TurnMissedError(BusyError, TimeoutError):
    """The time until which work might begin was over before its turn came: it was not run."""


class _Worker(threading.Thread):
    """A thread that work runs on."""


class Workers:
    """At most `twins` pieces of work run at a time and `places` more wait; the next one raises BusyError.

    Users are served in turn (see `Turns`); work of None, which is nobody's, may take all places, a user's a part of
    them (SHARE). Low-priority work has places and workers of its own (one fewer, at least one) and pauses while other
    work runs or waits. Workers never wait for one another.
    """

    def __init__(self, classifier: Classifier, twins: int, places: int) -> None:
        if twins < 1 or places < 1:
            raise ValueError(f"a service needs at least one twin and one place to wait; got {twins} and {places}")
        self._pattern = classifier.twin()  # what workers' twins are copied from: nobody ever hooks or runs it
        self._twins, self._places = twins, places
        self._waiting = {low_priority: Turns[Job]() for low_priority in (False, True)}
        self._pace = Pace()
        self.changed = threading.Condition()
        """Held by whoever changes what waits, what runs, or who waits for a job."""
        self._closed = False
        self._running = set[Job]()
        self._urgent = 0
        kinds = [False] * twins + [True] * max(1, twins - 1)
        self._threads = [
            _Worker(target=self._serve, args=(low_priority,), daemon=True, name=f"twin-{i}")
            for i, low_priority in enumerate(kinds)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def load(self) -> tuple[int, int]:
        """(pieces of work that run, pieces that wait) at this moment."""
        with self.changed:
            return len(self._running), sum(map(len, self._waiting.values()))

    def put(self, job: Job, user: Hashable = None) -> None:
        """Lets it wait for a worker; raises BusyError, also once the process is being stopped, or Cancelled once
        closed."""
        if STOPPING.is_set():
            raise BusyError(STOPPED)
        with self.changed:
            if self._closed:
                raise Cancelled("this service is closed")
            waiting, share = self._waiting[job.low_priority], max(1, self._places // SHARE)
            if user is not None and waiting.count(user) >= share:
                raise BusyError(f"{share} calculations of yours wait, which is the most: wait for one of them.")
            if len(waiting) >= self._places:
                raise BusyError(
                    f"{self._twins} calculations run and all {self._places} places in the queue are taken: "
                    "try again in a moment."
                )
            waiting.put(job, user)
            self.changed.notify_all()

    def join(self, job: Job, user: Hashable, low_priority: bool, until: float) -> None:
        """One more waits for it: its turn comes with the first turn of them all, it gives way only if all of them do,
        and may begin as long as one of them waits."""
        with self.changed:
            job.waiting += 1
            job.until = max(job.until, until)
            line = self._waiting[job.low_priority]
            users = line.users_of(job)
            if users and user not in users:
                line.put(job, user)
            if job.low_priority and not low_priority:
                if users:
                    line.remove(job)
                    for one in dict.fromkeys([*users, user]):
                        self._waiting[False].put(job, one)
                job.low_priority = False
            self.changed.notify_all()

    def leave(self, job: Job, user: Hashable = None) -> bool:
        """One caller fewer waits for it; without any left it is given up. Returns whether this was the last one.

        Where the user has others who wait for it as well, they wait on in the turns of all who are left.
        """
        with self.changed:
            job.waiting -= 1
            for line in self._waiting.values():
                if not job.waiting:
                    line.remove(job)
                elif line.users_of(job) != [user]:
                    line.remove(job, user)
            if job.waiting:
                return False
            if not job.finished.is_set():
                job.given_up.set()
                self.changed.notify_all()
            return True

    def place(self, job: Job) -> Place | None:
        """Where it waits, those before it that give way less included; None once it runs."""
        with self.changed:
            position = self._waiting[job.low_priority].position(job)
            if position is None:
                return None
            ahead = len(self._waiting[False]) if job.low_priority else 0
            return self._pace.place(position + ahead, self._twins)

    def must_pause(self, job: Job) -> bool:
        """Whether a job has to rest now, for others go first."""
        return job.low_priority and self._others_first

    @contextlib.contextmanager
    def first(self) -> Iterator[None]:
        """Low-priority work pauses meanwhile."""
        with self.changed:
            self._urgent += 1
        try:
            yield
        finally:
            with self.changed:
                self._urgent -= 1
                self.changed.notify_all()

    def close(self) -> None:
        """Ends the workers; work that waits raises Cancelled in its caller."""
        with self.changed:
            self._closed = True
            for line in self._waiting.values():
                for job in line.clear():
                    job.error = Cancelled("the service was closed")
                    job.finished.set()
            self.changed.notify_all()

    def shutdown(self) -> None:
        """`close`, and what runs stops at the next module: returns once no worker is inside torch any more."""
        self.close()
        with self.changed:
            for job in self._running:
                job.given_up.set()
        for thread in self._threads:
            thread.join(_GOODBYE_SECONDS)

    @property
    def _others_first(self) -> bool:
        """Whether low-priority work has to wait."""
        return self._urgent > 0 or bool(self._waiting[False])

    def _next(self, low_priority: bool) -> tuple[Job, Hashable] | None:
        """Waits for a piece of work for a worker of this kind, and says whose turn it is; None once closed."""
        with self.changed:
            waiting = self._waiting[low_priority]
            while True:
                self.changed.wait_for(lambda: self._closed or (waiting and not (low_priority and self._others_first)))
                if self._closed:
                    return None
                job, user = waiting.pop()
                if time.monotonic() < job.until:
                    break
                waiting.ended(user)
                job.error = TurnMissedError(TURN_MISSED)
                job.finished.set()
            self._running.add(job)
            self._urgent += not low_priority
            return job, user

    def _serve(self, low_priority: bool) -> None:
        twin: Classifier | None = None
        while (found := self._next(low_priority)) is not None:
            (job, user), started = found, self._pace.clock()
            try:
                twin = twin or self._pattern.twin()
                with stops_when_given_up(job):
                    job.value = job.work(twin, job)
                self._pace.learn(self._pace.clock() - started)
            except BaseException as error:  # handed to the caller, who raises it
                job.error = memory_told(error)
            finally:
                if twin is not None and (job.error is not None or hook_count(twin.network)):
                    twin = None  # whatever the work left on its twin goes away with it
                with self.changed:
                    self._running.discard(job)
                    self._waiting[low_priority].ended(user)
                    self._urgent -= not low_priority
                    self.changed.notify_all()
                job.finished.set()
            del job, found  # else its value would stay with a worker that has nothing to do


def refuse_workers(what: str) -> None:
    """Raises RuntimeError on a worker: it could wait for ever for a thread that waits for a worker."""
    if isinstance(threading.current_thread(), _Worker):
        raise RuntimeError(
            f"{what} was called by work that already runs on a worker, which may not wait for others: ask before the "
            "work starts and hand the answer over"
        )


def hook_count(network: nn.Module) -> int:
    """How many forward and backward hooks sit on a network and all its parts."""
    return sum(
        len(module._forward_hooks)
        + len(module._forward_pre_hooks)
        + len(module._backward_hooks)
        + len(module._backward_pre_hooks)
        for module in network.modules()
    )
