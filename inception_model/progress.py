"""How long computations tell how far they are, and how they are stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all), on the thread that computes."""


class Cancelled(RuntimeError):  # noqa: N818 - a wish of the caller, not an error
    """The caller set the cancel event; nothing was left behind and there is no result."""


def report(done: int, total: int, progress: Progress | None, cancel: threading.Event | None) -> None:
    """To be called between two steps: raises Cancelled if the event is set, else tells the progress."""
    if cancel is not None and cancel.is_set():
        raise Cancelled(f"cancelled after {done} of {total} steps")
    if progress is not None:
        progress(done, total)
