"""Reads every file of a folder and writes, as JSON, what was said, and what it took: in a process of its own."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.formats import read

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def _resident(which: str) -> int:
    """Bytes: `VmRSS` now, `VmHWM` at the highest since it was cleared."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) * 1024


def start() -> int:
    """Forgets the highest use of memory where the system can, and returns the use now."""
    if not _CLEAR.exists():
        return peak()
    _CLEAR.write_text("5")
    return _resident("VmRSS")


def peak() -> int:
    if _CLEAR.exists():
        return _resident("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def read_all(folder: Path, rows: Path) -> None:
    """A line in `rows` for every file. The one named `warm` is read first: what Python and torch take for themselves is
    no file's fault."""
    read(folder / "warm")
    for path in sorted(folder.iterdir()):
        before, begun = start(), time.process_time()
        try:
            read(path)
            said: str | None = None
            error = ""
        except CheckpointError as refusal:
            said, error = str(refusal), ""
        except BaseException as other:
            said, error = None, f"{type(other).__name__}: {other}"[:500]
        row = {
            "file": path.name,
            "said": said,
            "error": error,
            "seconds": time.process_time() - begun,
            "growth": peak() - before,
        }
        with rows.open("a") as lines:
            lines.write(json.dumps(row) + "\n")
