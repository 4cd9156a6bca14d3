"""Thirty people at once: nobody sees an error or another's answers, and a look takes at most 30 times as long."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field

from tests.endurance import people
from tests.endurance.visitor import Visitor

SLOWER = 30.0
"""Times the median look of a single visitor, at most."""
SECONDS = 6.0
"""Of the median look, at most."""
ALONE = 7
"""Looks of the single visitor."""
EXPLAINED = 3
"""Every so many looks a visitor asks for a map as well."""
PHOTOS = 20
"""Of one session; it keeps 24."""


@dataclass
class Crowd:
    """What a single visitor and then many were told, and what went wrong."""

    alone: list[people.Told] = field(default_factory=list)
    together: list[people.Told] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    turned_away: int = 0
    """How often somebody was told that the queue is full, and asked again."""

    @property
    def single(self) -> float:
        """Seconds of the median look of the one who is alone; the first, which loads things, does not count."""
        return statistics.median(told.seconds for told in self.alone[1:])

    @property
    def median(self) -> float:
        """Seconds of the median look in the crowd."""
        return statistics.median(told.seconds for told in self.together)

    def mixed_up(self) -> list[str]:
        """Answers that are not about the visitor's own photo."""
        return [words for told in (*self.alone, *self.together) if (words := people.wrong(told))]

    def faults(self) -> list[str]:
        """What is not as it has to be, in words."""
        slow = f"the median look takes {self.median:.2f} s, alone {self.single:.2f} s"
        too_slow = self.median > SLOWER * self.single or self.median > SECONDS
        return [*self.errors, *self.mixed_up(), *([slow] if too_slow else [])]


def crowd(url: str, visitors: int, seconds: float) -> Crowd:
    """So many visitors for so many seconds; each drops one photo after the other that nobody else has."""
    found, lock = Crowd(), threading.Lock()
    with Visitor(url) as visitor:
        for number in range(ALONE):
            found.alone.append(people.look(visitor, number, explained=number == 0))
    until = time.monotonic() + seconds

    def visit(place: int) -> None:
        turn = 0
        try:
            while turn == 0 or time.monotonic() < until:
                with Visitor(url) as visitor:
                    for _ in range(PHOTOS):
                        number = ALONE + place + visitors * turn
                        told = people.look(visitor, number, explained=turn % EXPLAINED == 0)
                        turn += 1
                        with lock:
                            found.together.append(told)
                            found.turned_away += visitor.turned_away
                        visitor.turned_away = 0
                        if time.monotonic() >= until:
                            return
        except Exception as error:
            with lock:
                found.errors.append(f"visitor {place}, look {turn + 1}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=visit, args=(place,)) for place in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
