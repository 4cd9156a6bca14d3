"""Many looks with explanations, one session after the other: a server that leaks anything shows it here.

Memory after the first tenth and at the end within 10% of one another, no thread, handle or hook more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.endurance import people
from tests.endurance.visitor import Visitor
from tests.endurance.vitals import Vitals, at_rest, more_held

GROWTH = 0.10
"""Of the memory after the first tenth."""
KEPT_SECONDS = 125.0
"""So long Streamlit keeps a session that has ended; the next one that ends drops those that are older."""


@dataclass
class Soak:
    """How the server was after the first tenth and at the end, what visitors were told, and how many of the sessions
    in between the server still kept at the end."""

    first: Vitals
    last: Vitals
    kept: int
    told: list[people.Told]

    @property
    def growth(self) -> float:
        """Of the memory, as a part of what it was after the first tenth."""
        return self.last.memory / self.first.memory - 1

    def faults(self) -> list[str]:
        """What is not as it has to be, in words."""
        found = [f"memory grew by {self.growth:.1%}"] if self.growth > GROWTH else []
        found += more_held(self.first, self.last, self.kept)
        if failed := self.last.failed - self.first.failed:
            found.append(f"{failed} requests were answered with an error of the server")
        found += [words for told in self.told if (words := people.wrong(told))]
        explained = sum(told.score is not None for told in self.told)
        return found if explained == len(self.told) else [*found, f"{explained} of {len(self.told)} were explained"]


def soak(
    url: str,
    looks: int,
    sessions: int,
    *,
    at_once: int = 2,
    patient: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Soak:
    """So many looks, each explained, in so many sessions, of which `at_once` are there at a time.

    Where it is `patient`, it waits until the server has dropped the sessions that might have come back.
    """
    each, told, lock = looks // sessions, list[people.Told](), threading.Lock()

    def visit(session: int) -> None:
        with Visitor(url) as visitor:
            for turn in range(each):
                one = people.look(visitor, session * each + turn, explained=True)
                with lock:
                    told.append(one)

    tenth = max(at_once, sessions // 10)
    kept = 0 if patient else sessions - tenth
    first: Vitals | None = None
    for part in (range(tenth), range(tenth, sessions)):
        with ThreadPoolExecutor(at_once) as visitors:
            for done, _ in enumerate(visitors.map(visit, part), part.start + 1):
                if done % max(1, sessions // 10) == 0:
                    say(f"{done} sessions, {len(told)} looks")
        if patient:
            time.sleep(KEPT_SECONDS)
            with Visitor(url) as last_one:
                last_one.open()
        last = at_rest(url, first, kept)
        first = first or last
        say(f"at rest: {last}")
    assert first is not None
    return Soak(first, last, kept, told)
