"""Who may come in: so many requests at a time, a part of them from one address, and none once the server ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from app.api.refusals import RefusalError
from inception_model.serving.ending import STOPPED


class Gate:
    """Counts the requests that are inside. `closed`: the server is ending, nobody else comes in."""

    def __init__(self, places: Callable[[], int]) -> None:
        self._places = places
        self.closed = False
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def inside(self) -> int:
        """Requests that are worked on or wait for their turn."""
        with self._lock:
            return self._inside.total()

    def enter(self, address: str) -> Callable[[], None]:
        """Lets a request in; what is returned lets it out again, once. Raises RefusalError where there is no place."""
        places = self._places()
        each = max(1, places // 2)
        with self._lock:
            if self.closed:
                raise RefusalError(503, STOPPED)
            if not places:
                raise RefusalError(404, "The operator of this server has switched its API off.")
            if self._inside[address] >= each:
                raise RefusalError(
                    429, f"{each} requests of yours are being worked on, which is the most: wait for one of them."
                )
            if self._inside.total() >= places:
                raise RefusalError(
                    503, f"{places} requests are being worked on and no place is free: try again in a moment."
                )
            self._inside[address] += 1
        left = threading.Event()

        def leave() -> None:
            with self._lock:
                if not left.is_set():
                    left.set()
                    self._inside[address] -= 1
                    if not self._inside[address]:
                        del self._inside[address]

        return leave
