"""How many people the server takes at a time. Whoever comes when it is full waits at the door, in the order of coming.

A place is free again soon after its page is closed; who waits longest comes in by themselves. For a moment a place is
kept for the browser that left it, which may only be loading the page again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

import streamlit as st

from app.state import measures, operator, visitors

KEPT_SECONDS = 10.0
"""So long a place that was left is kept from those who wait at the door longer than that."""


class Room:
    """So many visitors at a time, as `places` says (0: everybody). Safe for threads."""

    def __init__(
        self,
        places: Callable[[], int],
        is_here: Callable[[Hashable], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places, self._is_here, self._clock = places, is_here, clock
        self._inside: dict[Hashable, Hashable] = {}
        self._left: dict[Hashable, tuple[Hashable, float]] = {}
        self._door: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    @property
    def places(self) -> int:
        """How many are taken at a time."""
        return self._places()

    @property
    def at_the_door(self) -> int:
        """How many wait for a place at this moment."""
        with self._lock:
            self._see_who_left()
            return len(self._door)

    def enter(self, visitor: Hashable, browser: Hashable = None) -> int:
        """0: the visitor is in, from now on until they leave. Else their place among those who wait at the door."""
        places = self._places()
        with self._lock:
            self._see_who_left()
            if visitor in self._inside:
                return 0
            new, alone = visitor not in self._door, not self._door
            if new:
                self._door[visitor] = self._clock()
            position = list(self._door).index(visitor) + 1
            kept = 0 if new and alone else len(self._left)
            if self._comes_back(visitor, browser) or not places or position <= places - len(self._inside) - kept:
                del self._door[visitor]
                self._inside[visitor] = browser
                return 0
        if new:
            measures.REFUSED.add()
        return position

    def _comes_back(self, visitor: Hashable, browser: Hashable) -> bool:
        """Whether one of the places that were left just now is theirs; then they take it.

        A page that is loaded again may come before the end of the old one is noticed. Whoever has waited for longer is
        somebody else with such a browser.
        """
        came = self._door[visitor]
        for gone, (of, since) in self._left.items():
            if gone == visitor or (browser is not None and of == browser and abs(came - since) < KEPT_SECONDS):
                del self._left[gone]
                return True
        return False

    def _see_who_left(self) -> None:
        now = self._clock()
        self._left = {gone: (of, since) for gone, (of, since) in self._left.items() if now < since + KEPT_SECONDS}
        for someone in [someone for someone in self._inside if not self._is_here(someone)]:
            self._left[someone] = self._inside.pop(someone), now
        self._door = {someone: came for someone, came in self._door.items() if self._is_here(someone)}


ROOM = Room(operator.sessions, lambda someone: visitors.is_here(someone))
"""Of this process."""


def place_at_the_door() -> int:
    """Of the visitor whose run this is: 0 for those who are in."""
    visitor = visitors.visitor()
    return 0 if visitor is None else ROOM.enter(visitor, (st.context.ip_address, st.context.headers.get("User-Agent")))
