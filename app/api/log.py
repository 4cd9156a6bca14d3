"""The server's log: one JSON object a line. No line holds the name of a file, a pixel, or a text that somebody sent."""

from __future__ import annotations

import json
import logging
import secrets
import time
import traceback
from pathlib import Path

LOG = logging.getLogger("inceptionscope")
ROOT = Path(__file__).resolve().parents[2]


def begin() -> None:
    """Lines go to the standard error output, as they are; once, however often this is called."""
    if not LOG.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False


def say(event: str, **facts: str | int | float | None) -> None:
    """A line about something that happened, with the time (UTC)."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    LOG.info(json.dumps({"time": when, "event": event, **facts}))


def new_id() -> str:
    """What a request is called, in its answer and in the log."""
    return secrets.token_hex(8)


def say_failure(event: str, request_id: str, error: BaseException) -> None:
    """Where a request met an error of the program: its kind and the way there, without its message.

    A message may repeat what somebody sent.
    """
    way = " > ".join(f"{_place(frame.filename)}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__))
    say(event, id=request_id, error=type(error).__name__, way=way)


def _place(name: str) -> str:
    path = Path(name)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
