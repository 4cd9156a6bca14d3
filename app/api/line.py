"""Where requests wait for a thread: those of one address and those of others are taken in turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from inception_model.serving.turns import Pace, Place, Turns

T = TypeVar("T")


@dataclass(eq=False)
class Task:
    """What one request wants done, and the promise of its result."""

    work: Callable[[], Any]
    result: Future[Any] = field(default_factory=Future)


class Line:
    """So many threads, and a line before them that serves users in turn."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, name)
        self._turns, self._pace, self._running = Turns[Task](), Pace(), 0
        self._lock = threading.Lock()

    def put(self, work: Callable[[], T], user: Hashable) -> Task:
        """Lets it wait for a thread; `task.result` holds what it returns or raises."""
        task = Task(work)
        with self._lock:
            self._turns.put(task, user)
        self._pool.submit(self._take)
        return task

    async def run(self, task: Task) -> Any:
        """Its result, without holding up the server's loop."""
        return await asyncio.wrap_future(task.result)

    def place(self, task: Task) -> Place | None:
        """Where it waits; None once it runs, and where a thread is free for it."""
        with self._lock:
            position = self._turns.position(task)
            if position is None or position <= self._threads - self._running:
                return None
            return self._pace.place(position, self._threads)

    def place_for(self, user: Hashable) -> Place:
        """Where one more of this user would wait."""
        task = Task(lambda: None)
        with self._lock:
            self._turns.put(task, user)
            position = self._turns.position(task) or 1
            self._turns.remove(task)
            return self._pace.place(position, self._threads)

    @property
    def waiting(self) -> int:
        """Requests that wait for a thread."""
        with self._lock:
            return len(self._turns)

    def _take(self) -> None:
        """On a thread: whose turn it is, which need not be the one that this was called for."""
        with self._lock:
            task, user = self._turns.pop()
            self._running += 1
        started = self._pace.clock()
        found, wrong = None, None
        try:
            if task.result.set_running_or_notify_cancel():
                found = task.work()
                self._pace.learn(self._pace.clock() - started)
        except BaseException as error:  # handed to whoever waits for it
            wrong = error
        with self._lock:
            self._turns.ended(user)
            self._running -= 1
        if wrong is not None:
            task.result.set_exception(wrong)
        elif not task.result.cancelled():
            task.result.set_result(found)
