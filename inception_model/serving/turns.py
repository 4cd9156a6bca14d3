"""Who is next: what waits is taken from its users in turn, so that ten things of one user delay others by one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

from ..drawing.numbers import ordinal, rough_seconds

T = TypeVar("T")

KEPT = 20
"""Durations that an estimate of the wait is made from."""


@dataclass(frozen=True)
class Place:
    """Where something waits: `position` 1 is the next to be taken; `seconds` until then, None where nothing is known of
    how long others take."""

    position: int
    seconds: float | None = None

    @property
    def sentence(self) -> str:
        """For whoever waits."""
        which = "You are next" if self.position == 1 else f"You are {ordinal(self.position)} in line"
        return (
            f"{which}." if self.seconds is None else f"{which}: your turn comes in about {rough_seconds(self.seconds)}."
        )


class Turns(Generic[T]):
    """Things that wait, each for one user or several. Round robin: who has had a turn goes behind all others.

    Whoever comes while others already have something running stands before those. Nobody is passed for ever: what
    runs ends, and from then on only those who were there before go first. Not safe for threads by itself.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[Hashable, deque[T]] = OrderedDict()
        self._running: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(set(self))

    def __iter__(self) -> Iterator[T]:
        """All that waits; what several users wait for comes once for each."""
        return (thing for line in self._lines.values() for thing in line)

    def count(self, user: Hashable) -> int:
        """How many things of a user wait."""
        return len(self._lines.get(user, ()))

    def put(self, thing: T, user: Hashable) -> None:
        """Lets a thing wait for a user; it may wait for another one already."""
        line = self._lines.get(user)
        if line is not None:
            line.append(thing)
            return
        self._lines[user] = deque([thing])
        if self._running.get(user, 0):
            return
        # Users with something running, who stand at the end of the line as a rule, let this one go first.
        for other in [other for other in self._lines if self._running.get(other, 0)]:
            self._lines.move_to_end(other)

    def users_of(self, thing: T) -> list[Hashable]:
        """For whom it waits."""
        return [user for user, line in self._lines.items() if thing in line]

    def remove(self, thing: T, *users: Hashable) -> None:
        """It no longer waits for these users; without any, for nobody."""
        for user in users or self.users_of(thing):
            line = self._lines.get(user)
            if line is not None and thing in line:
                line.remove(thing)
                if not line:
                    del self._lines[user]

    def first(self) -> T | None:
        """What is taken next; None where nothing waits."""
        return next((line[0] for line in self._lines.values()), None)

    def pop(self) -> tuple[T, Hashable]:
        """Takes the next thing, and says whose turn it was. Until `ended(user)` it counts as running."""
        user, line = next(iter(self._lines.items()))
        thing = line[0]
        self.remove(thing)
        if user in self._lines:
            self._lines.move_to_end(user)
        self._running[user] = self._running.get(user, 0) + 1
        return thing, user

    def ended(self, user: Hashable) -> None:
        """What was taken in the user's turn is done."""
        self._running[user] -= 1
        if not self._running[user]:
            del self._running[user]

    def position(self, thing: T) -> int | None:
        """1: it is taken next; None: it does not wait."""
        lines = OrderedDict((user, deque(line)) for user, line in self._lines.items())
        position = 0
        while lines:
            user, line = lines.popitem(last=False)
            taken = line.popleft()
            position += 1
            if taken == thing:
                return position
            for other, rest in list(lines.items()):  # what others wait for as well is done with it
                if taken in rest:
                    rest.remove(taken)
                    if not rest:
                        del lines[other]
            if line:
                lines[user] = line
        return None

    def clear(self) -> list[T]:
        """Nothing waits any more; what did."""
        found = list(dict.fromkeys(self))
        self._lines.clear()
        return found


class Pace:
    """How long what was taken lately ran, and so how long one waits. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._durations: deque[float] = deque(maxlen=KEPT)
        self._lock, self.clock = threading.Lock(), clock

    def learn(self, seconds: float) -> None:
        """Something has run so long."""
        with self._lock:
            self._durations.append(seconds)

    def place(self, position: int, at_once: int) -> Place:
        """A place in a line of which so many things run at a time, all of them as long as the usual one."""
        with self._lock:
            known = list(self._durations)
        return Place(position, median(known) * -(-position // at_once) if known else None)
