"""Forward passes that arrive together run as one batch; each caller gets the Trace of their own image.

Nobody waits without need: a pass that arrives alone begins at once. While passes run, others gather and go together.
Only where another image is being prepared at the same moment a pass waits for it, for WINDOW seconds at most.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..inference.classifier import Classifier
from ..inference.trace import Trace, capture
from .job import POLL_SECONDS
from .turns import Pace, Place, Turns
from .waiter import Waiter
from .workers import TURN_MISSED, TurnMissedError

WINDOW = 0.003
"""Seconds that a pass waits for another image that is on its way."""
MOST = {"cpu": 1}
"""Images in a batch by kind of device. On a CPU a batch takes as long as its images one after the other, or longer, and
all of them would wait for the last (`make bench` measures it): there passes have their turns, each alone."""
MOST_ELSEWHERE = 16
"""On a GPU, where one image leaves most of it idle."""


@dataclass(eq=False)
class _Seat:
    """An image that waits for its pass, then its trace or why there is none."""

    x: Tensor
    trace: Trace | None = None
    error: BaseException | None = None
    done: bool = False


class Batches:
    """Passes of one classifier: at most `most` images in a batch, `lanes` batches at a time, users in turn.

    In half precision a batch would round otherwise than one image, so there each runs alone. `sizes` is told how many
    images each batch had.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        most: int | None = None,
        lanes: int | None = None,
        window: float = WINDOW,
        sizes: Callable[[float], object] | None = None,
    ) -> None:
        kind = classifier.device.type
        self._classifier, self._window, self._sizes = classifier, window, sizes
        wanted = MOST.get(kind, MOST_ELSEWHERE) if most is None else most
        self._most = wanted if classifier.dtype is torch.float32 else 1
        self._lanes = _lanes(kind) if lanes is None else lanes
        self._turns, self._pace = Turns[_Seat](), Pace()
        self._changed = threading.Condition()
        self._coming = 0
        self._running = 0

    @property
    def waiting(self) -> int:
        """Images that wait for their pass."""
        with self._changed:
            return len(self._turns)

    def trace(self, prepare: Callable[[], Tensor], waiter: Waiter) -> Trace:
        """The trace of the one image that `prepare` returns, (1, 3, S, S).

        Raises what ends the waiter's wait, and TurnMissedError where its pass has not begun in time.
        """
        with self._on_its_way():
            seat = _Seat(prepare())
        with self._changed:
            self._turns.put(seat, waiter.user)
            self._changed.notify_all()
        try:
            self._wait(seat, waiter)
        finally:
            with self._changed:
                self._turns.remove(seat)
                self._changed.notify_all()
        if seat.error is not None:
            raise seat.error
        assert seat.trace is not None
        return seat.trace

    def _wait(self, seat: _Seat, waiter: Waiter) -> None:
        stood: Place | None = None
        while (batch := self._next_batch(seat)) is not None:
            if batch:
                self._run(batch)
                continue
            if (place := self._place(seat)) is None:
                continue  # its pass runs
            waiter.go_on()
            if time.monotonic() >= waiter.begins_until:
                raise TurnMissedError(TURN_MISSED)
            if waiter.line is not None and place != stood:
                stood = place
                waiter.line(place)

    @contextlib.contextmanager
    def _on_its_way(self) -> Iterator[None]:
        with self._changed:
            self._coming += 1
        try:
            yield
        finally:
            with self._changed:
                self._coming -= 1
                self._changed.notify_all()

    def _place(self, seat: _Seat) -> Place | None:
        with self._changed:
            position = self._turns.position(seat)
            return None if position is None else self._pace.place(position, self._most * self._lanes)

    def _next_batch(self, seat: _Seat) -> list[tuple[_Seat, Hashable]] | None:
        """The batch that whoever waits for this seat has to run, for it is the next one; empty after a moment in which
        others went first; None once another thread has run it."""

        def reached() -> bool:
            return seat.done or (self._running < self._lanes and self._turns.first() is seat)

        with self._changed:
            if not self._changed.wait_for(reached, POLL_SECONDS):
                return []
            if seat.done:
                return None
            self._running += 1
            if self._most > 1:
                self._changed.wait_for(lambda: not self._coming or len(self._turns) >= self._most, self._window)
            return [self._turns.pop() for _ in range(min(self._most, len(self._turns)))]

    def _run(self, batch: list[tuple[_Seat, Hashable]]) -> None:
        started = self._pace.clock()
        seats = [seat for seat, _ in batch]
        try:
            self._capture(seats)
            self._pace.learn(self._pace.clock() - started)
        finally:
            if self._sizes is not None:
                self._sizes(len(seats))
            with self._changed:
                self._running -= 1
                for seat, user in batch:
                    self._turns.ended(user)
                    seat.done = True
                self._changed.notify_all()

    def _capture(self, seats: list[_Seat]) -> None:
        """Fills the seats. Where a batch fails each image runs alone: what is wrong with one is not the others'."""
        try:
            together = capture(self._classifier, torch.cat([seat.x for seat in seats]))
            for seat, trace in zip(seats, together.split(), strict=True):
                seat.trace, seat.error = trace, None
        except BaseException as error:
            for seat in seats:
                seat.error = error
            if len(seats) > 1 and isinstance(error, Exception):
                for seat in seats:
                    self._capture([seat])


def _lanes(kind: str) -> int:
    """As many at a time as there are cores for, each with the threads that torch takes; elsewhere one."""
    return max(1, (os.cpu_count() or 1) // torch.get_num_threads()) if kind == "cpu" else 1
