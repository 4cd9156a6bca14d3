"""How a running server is: what `/api/metrics` says of its memory, threads, handles and hooks."""

from __future__ import annotations

import time
import urllib.request
from dataclasses import dataclass

from tests.openmetrics import Family, parse

PATIENCE = 60.0
"""Seconds until a server whose visitors have all left is at rest."""
HANDLES = 3
"""Of a session that has ended and may still come back: Streamlit keeps its event loop."""


@dataclass(frozen=True)
class Vitals:
    """Of one moment."""

    memory: int
    threads: int
    handles: int
    hooks: int
    explained: int
    looked: int
    failed: int


def metrics(url: str) -> dict[str, Family]:
    """Read by the grammar."""
    with urllib.request.urlopen(f"{url}/api/metrics", timeout=60) as answer:
        return parse(answer.read().decode())


def value(found: dict[str, Family], name: str, end: str = "") -> int:
    """The one sample of that name."""
    family = found[f"inceptionscope_{name}"]
    [sample] = [sample.value for sample in family.samples if sample.name.endswith(end) and "le" not in sample.labels]
    return int(sample)


def vitals(url: str) -> Vitals:
    """As it is now."""
    found = metrics(url)
    failed = [s.value for s in found["inceptionscope_requests"].samples if s.labels["status"].startswith("5")]
    return Vitals(
        memory=value(found, "resident_memory_bytes"),
        threads=value(found, "threads"),
        handles=value(found, "open_files"),
        hooks=value(found, "hooks"),
        explained=value(found, "explanation_seconds", "_count"),
        looked=value(found, "look_seconds", "_count"),
        failed=int(sum(failed)),
    )


def more_held(before: Vitals, now: Vitals, kept: int = 0) -> list[str]:
    """Which of the things that a server at rest has the same number of have become more, in words.

    `kept`: sessions that have ended since and may still come back.
    """
    allowed = {"threads": before.threads, "handles": before.handles + kept * HANDLES, "hooks": before.hooks}
    pairs = [(name, most, getattr(now, name)) for name, most in allowed.items()]
    return [f"{name}: {number}, where {most} are right" for name, most, number in pairs if number > most]


def at_rest(url: str, before: Vitals | None = None, kept: int = 0) -> Vitals:
    """Once nobody is there and nothing runs; with `before`, once no more is held than then, or after PATIENCE."""
    until = time.monotonic() + PATIENCE
    while True:
        found, now = metrics(url), vitals(url)
        busy = value(found, "sessions") + value(found, "work_running") + value(found, "work_waiting")
        still = before is None or not more_held(before, now, kept)
        if time.monotonic() > until or (not busy and still):
            return now
        time.sleep(0.25)
