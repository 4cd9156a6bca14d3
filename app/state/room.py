"""How many people the server takes at a time. Whoever comes when it is full waits at the door, in the order of coming.

A place is free again soon after its page is closed; who waits longest comes in by themselves. For a moment a place is
kept for the browser that left it, which may only be loading the page again. While somebody waits, a place of whose page
nobody has done anything for long is given on. Only so many wait; whoever comes then is told to come again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

import streamlit as st
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string

from app.state import measures, operator, visitors

TURNED_AWAY = -1
"""The place of somebody who is neither in nor at the door."""
COOKIE = "_streamlit_xsrf"
DOOR = 5
"""So many times as many as are taken may wait at the door."""
KEPT_SECONDS = 10.0
"""So long a place that was left is kept from those who wait at the door longer than that."""


class Room:
    """So many visitors at a time, as `places` says (0: everybody). Safe for threads.

    Who has not come again for `idle` seconds (0: any time) gives up the place once somebody waits for one.
    """

    def __init__(
        self,
        places: Callable[[], int],
        is_here: Callable[[Hashable], bool],
        clock: Callable[[], float] = time.monotonic,
        idle: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._places, self._is_here, self._clock, self._idle = places, is_here, clock, idle
        self._came: dict[Hashable, float] = {}
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
        """0: the visitor is in, from now on until they leave. Else their place among those who wait at the door, or
        TURNED_AWAY where too many do."""
        places = self._places()
        with self._lock:
            self._see_who_left()
            if visitor in self._inside:
                self._came[visitor] = self._clock()
                return 0
            new, alone = visitor not in self._door, not self._door
            if new:
                self._door[visitor] = self._clock()
            position = list(self._door).index(visitor) + 1
            kept = 0 if new and alone else len(self._left)
            missing = position + kept + len(self._inside) - places
            if not places or self._comes_back(visitor, browser) or missing <= self._send_idle_out(missing):
                del self._door[visitor]
                self._inside[visitor] = browser
                self._came[visitor] = self._clock()
                return 0
            if turned_away := new and position > DOOR * places:
                del self._door[visitor]
        if new:
            measures.REFUSED.add()
        return TURNED_AWAY if turned_away else position

    def active(self, visitor: Hashable) -> None:
        """Somebody who is in has done something."""
        with self._lock:
            if visitor in self._inside:
                self._came[visitor] = self._clock()

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
            self._came.pop(someone, None)
        self._door = {someone: came for someone, came in self._door.items() if self._is_here(someone)}

    def _send_idle_out(self, most: int) -> int:
        """Ends the stay of so many at most who did nothing for too long, the idlest first; returns of how many.

        Their page may be open, but nobody is in front of it: no place is kept for them.
        """
        idle, now = self._idle(), self._clock()
        gone = [who for who, came in sorted(self._came.items(), key=lambda one: one[1]) if idle and now >= came + idle]
        for who in gone[: max(0, most)]:
            del self._inside[who], self._came[who]
        return min(len(gone), max(0, most))


ROOM = Room(operator.sessions, lambda someone: visitors.is_here(someone), idle=operator.idle_seconds)
"""Of this process."""


def place_at_the_door() -> int:
    """Of the visitor whose run this is: 0 for those who are in."""
    visitor = visitors.visitor()
    return 0 if visitor is None else ROOM.enter(visitor, browser())


def active() -> None:
    """The visitor whose run this is does something, or waits for what they asked for."""
    ROOM.active(visitors.visitor())


def browser() -> Hashable:
    """What is known of the visitor's browser: behind one address a whole class may have the same."""
    context = st.context
    return context.ip_address, context.headers.get("User-Agent"), _token(context.cookies.get(COOKIE))


def _token(cookie: str | None) -> bytes | None:
    """What stays the same in the cookie by which Streamlit knows that a request comes from its own page."""
    return None if cookie is None else decode_xsrf_token_string(cookie)[0]
