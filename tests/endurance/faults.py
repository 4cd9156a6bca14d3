"""What happens to a running server on Linux without being anybody's fault: each while others go on."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """Processes that it has started and that still run: the app's are decoders."""
    found = []
    for place in PROC.iterdir():
        with contextlib.suppress(OSError):
            if place.name.isdecimal():
                state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
                found += [int(place.name)] if int(parent) == pid and state != "Z" else []
    return found


@contextlib.contextmanager
def decoders_killed(pid: int, folder: Path) -> Iterator[None]:
    """By somebody else, at once and again a moment later."""
    del folder
    for process in children(pid):
        os.kill(process, signal.SIGKILL)
    yield
    for process in children(pid):
        os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def disk_full(pid: int, folder: Path) -> Iterator[None]:
    """No byte more can be written to any file, the log among them."""
    del folder
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def clock_jumps(pid: int, folder: Path) -> Iterator[None]:
    """Months ahead, and back: for a server that was started with CLOCK."""
    del pid
    (folder / "jump").write_text("")
    try:
        yield
    finally:
        (folder / "jump").unlink()


CLOCK = """
import os, time
_folder, _time = os.path.dirname(os.path.abspath(__file__)), time.time
time.time = lambda: _time() + 10**7 * os.path.exists(os.path.join(_folder, "jump"))
if not os.path.exists(os.path.join(_folder, "pid")):
    with open(os.path.join(_folder, "pid"), "w") as file:
        file.write(str(os.getpid()))
"""
"""Runs in the server before anything else, as part of a `sitecustomize`; the file `pid` names the server's process."""
FAULTS = (decoders_killed, disk_full, clock_jumps)
