"""Answers that are remembered by key, and computed once however many threads ask."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class _Turn:
    """The lock of a key that is being computed, and how many threads hold it or wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0


class LRUCache:
    """Remembers the last `entries` answers by key; threads that ask for the same key at once share one computation."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._known: OrderedDict[Hashable, Any] = OrderedDict()
        self._busy: dict[Hashable, _Turn] = {}
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def peek(self, key: Hashable) -> Any:
        """The remembered answer, or None."""
        with self._guard:
            return self._known.get(key)

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The remembered answer, or `compute()`. A failed computation is not remembered: the next caller tries anew."""
        with self._guard:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]  # type: ignore[no-any-return]
        with self._turn(key):
            with self._guard:
                if key in self._known:
                    return self._known[key]  # type: ignore[no-any-return]
            value = compute()
            with self._guard:
                self._known[key] = value
                while len(self._known) > self._entries:
                    self._known.popitem(last=False)
            return value

    @contextlib.contextmanager
    def _turn(self, key: Hashable) -> Iterator[None]:
        """One thread per key at a time; the lock goes with the last thread that wants it, also after a failure."""
        with self._guard:
            turn = self._busy.setdefault(key, _Turn())
            turn.threads += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._guard:
                turn.threads -= 1
                if not turn.threads:
                    del self._busy[key]
