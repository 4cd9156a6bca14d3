"""Answers that are remembered by key, and computed once however many threads ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class LRUCache:
    """Remembers the last `entries` answers by key; threads that ask for the same key at once share one computation."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._known: OrderedDict[Hashable, Any] = OrderedDict()
        self._busy: dict[Hashable, threading.Lock] = {}
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
            lock = self._busy.setdefault(key, threading.Lock())
        with lock:
            with self._guard:
                if key in self._known:
                    return self._known[key]  # type: ignore[no-any-return]
            value = compute()
            with self._guard:
                self._known[key] = value
                self._busy.pop(key, None)
                while len(self._known) > self._entries:
                    self._known.popitem(last=False)
            return value
