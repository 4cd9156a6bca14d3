"""Answers that are remembered by key within so many bytes, and computed once however many threads ask."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .job import POLL_SECONDS
from .sizes import bytes_of

T = TypeVar("T")


@dataclass(eq=False)
class _Turn:
    """The lock of a key that is being computed, and how many threads hold it or wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0


class LRUCache:
    """Remembers answers by key up to `limit` bytes in all; what was asked for longest ago is forgotten first.

    The newest one stays even where it is larger than the limit alone: whoever asked for it has not read it yet.
    Threads that ask for the same key at once share one computation. A whole `group` of keys can be forgotten at once.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._known: OrderedDict[tuple[Hashable, Hashable], tuple[Any, int]] = OrderedDict()
        self._used = 0
        self._busy: dict[tuple[Hashable, Hashable], _Turn] = {}
        self._lock = threading.Lock()
        self._leaving: deque[tuple[Hashable, Hashable]] = deque()

    def __len__(self) -> int:
        with self._guard():
            return len(self._known)

    @property
    def used(self) -> int:
        """Bytes of everything that is remembered."""
        with self._guard():
            return self._used

    def peek(self, key: Hashable, group: Hashable = None) -> Any:
        """The remembered answer, or None; it grows no younger by that."""
        with self._guard():
            found = self._known.get((group, key))
            return None if found is None else found[0]

    def touch(self, key: Hashable, group: Hashable = None) -> Any:
        """The remembered answer, or None; it counts as just used."""
        with self._guard():
            return self._find((group, key))

    def get(
        self,
        key: Hashable,
        compute: Callable[[], T],
        group: Hashable = None,
        go_on: Callable[[], object] | None = None,
    ) -> T:
        """The remembered answer, or `compute()`. A failed computation is not remembered: the next caller tries anew.

        `go_on` is called again and again while another thread computes it, and may raise.
        """
        place = group, key
        with self._guard():
            if place in self._known:
                return self._find(place)  # type: ignore[no-any-return]
        with self._turn(place, go_on):
            with self._guard():
                if place in self._known:
                    return self._find(place)  # type: ignore[no-any-return]
            value = compute()
            self.put(key, value, group)
            return value

    def put(self, key: Hashable, value: Any, group: Hashable = None) -> None:
        """Remembers an answer, in place of an older one under the same key."""
        size = bytes_of(value)
        with self._guard():
            self._forget((group, key))
            self._known[group, key] = value, size
            self._used += size
            while self._used > self.limit and len(self._known) > 1:
                self._forget(next(iter(self._known)))

    def drop(self, key: Hashable, group: Hashable = None) -> None:
        """Forgets one answer, if it is known."""
        with self._guard():
            self._forget((group, key))

    def drop_soon(self, key: Hashable, group: Hashable = None) -> None:
        """The same, with the next thing that is asked of the cache: for finalizers.

        The garbage collector runs them wherever it likes, also in a thread that holds the lock.
        """
        self._leaving.append((group, key))

    def drop_group(self, group: Hashable) -> None:
        """Forgets everything of a group."""
        with self._guard():
            for place in [place for place in self._known if place[0] == group]:
                self._forget(place)

    def _find(self, place: tuple[Hashable, Hashable]) -> Any:
        if place not in self._known:
            return None
        self._known.move_to_end(place)
        return self._known[place][0]

    def _forget(self, place: tuple[Hashable, Hashable]) -> None:
        if place in self._known:
            self._used -= self._known.pop(place)[1]

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """One thread at a time; what finalizers have dropped is gone."""
        with self._lock:
            while self._leaving:
                self._forget(self._leaving.popleft())
            yield

    @contextlib.contextmanager
    def _turn(self, place: tuple[Hashable, Hashable], go_on: Callable[[], object] | None = None) -> Iterator[None]:
        """One thread per key at a time; the lock goes with the last thread that wants it, also after a failure."""
        with self._guard():
            turn = self._busy.setdefault(place, _Turn())
            turn.threads += 1
        try:
            while not turn.lock.acquire(timeout=-1 if go_on is None else POLL_SECONDS):
                if go_on is not None:
                    go_on()
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            with self._guard():
                turn.threads -= 1
                if not turn.threads:
                    del self._busy[place]
