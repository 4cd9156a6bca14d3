"""Networks that many users share: each loaded once, a few at a time, and none taken from those who use it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from .service import InferenceService

MOST = 3
"""Networks that are held at a time."""


class NetworksInUseError(RuntimeError):
    """Another network was asked for, and somebody uses each of those that are held."""


@dataclass(eq=False)
class _Held:
    """A network, or the place of one that is being loaded, and who uses it."""

    users: set[Hashable] = field(default_factory=set)
    ready: threading.Event = field(default_factory=threading.Event)
    service: InferenceService | None = None


class Networks:
    """Services by key. Each user uses one at a time: to ask for another one is to leave the one before.

    `is_here(user)` says whether a user is still there; whoever has gone uses nothing. Where all places are taken, the
    network that nobody uses and that was asked for longest ago goes; without such a one `use` raises
    NetworksInUseError and the user keeps what they have.
    """

    def __init__(self, is_here: Callable[[Hashable], bool], most: int = MOST) -> None:
        self._is_here, self.most = is_here, most
        self._held: OrderedDict[Hashable, _Held] = OrderedDict()
        self._guard = threading.Lock()

    def users(self, key: Hashable) -> int:
        """How many use a network at this moment; 0 as well where it is not held."""
        with self._guard:
            return len(self._present(self._held[key])) if key in self._held else 0

    def __len__(self) -> int:
        return len(self._held)

    def services(self) -> list[InferenceService]:
        """All that are held."""
        with self._guard:
            return [held.service for held in self._held.values() if held.service is not None]

    def find(self, wanted: Callable[[Any], bool]) -> InferenceService | None:
        """A service that is held under a key that is `wanted`, or None; it does not count as used by that."""
        with self._guard:
            found = (held.service for key, held in self._held.items() if wanted(key) and held.service is not None)
            return next(found, None)

    def use(self, key: Hashable, user: Hashable, load: Callable[[], InferenceService]) -> InferenceService:
        """The service under this key, by `load()` where it is not held yet; from now on the user's only one.

        Raises what loading raises; then the user keeps the one before. Several who ask at once share one loading.
        """
        while True:
            with self._guard:
                held = self._held.get(key)
                if held is None:
                    self._make_room(user)
                    held = self._held[key] = _Held({user})
                    break
                if held.service is not None:
                    self._taken(key, held, user)
                    return held.service
                held.users.add(user)
            held.ready.wait()
        try:
            service = load()
        except BaseException:
            with self._guard:
                del self._held[key]
            held.ready.set()
            raise
        with self._guard:
            held.service = service
            self._taken(key, held, user)
        held.ready.set()
        return service

    def _taken(self, key: Hashable, held: _Held, user: Hashable) -> None:
        for other in self._held.values():
            other.users.discard(user)
        held.users.add(user)
        self._held.move_to_end(key)

    def _make_room(self, user: Hashable) -> None:
        """Closes networks until there is a place; one that only the asking user uses is theirs to give up."""
        while len(self._held) >= self.most:
            free = (
                key for key, held in self._held.items() if held.service is not None and not self._present(held) - {user}
            )
            if (key := next(free, None)) is None:
                raise NetworksInUseError(
                    f"This server holds {self.most} networks at a time and somebody is using each of them: "
                    "choose one of these, or try again later."
                )
            service = self._held.pop(key).service
            if service is not None:
                service.close()

    def _present(self, held: _Held) -> set[Hashable]:
        held.users = {user for user in held.users if self._is_here(user)}
        return held.users
