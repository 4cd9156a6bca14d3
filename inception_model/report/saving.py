"""Files that are either complete or not there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class ReportError(ValueError):
    """The file can't be written; the message says which one, why, and what to do."""


def require_place(path: Path) -> None:
    """Raises ReportError where a file of that name can't be written, before anything long is computed for it."""
    if path.is_dir():
        raise ReportError(f"{path} is a folder: name a file in it, such as {path / 'report.html'}.")
    if not path.parent.is_dir():
        raise ReportError(f"the folder {path.parent} does not exist: make it first, or name another file.")
    if not os.access(path.parent, os.W_OK):
        raise ReportError(f"the folder {path.parent} can't be written to: name a file elsewhere.")


def save(text: str, path: Path) -> None:
    """Writes a text (UTF-8) beside its place and then renames it: a file of that name is never half written.

    Raises ReportError in one sentence; whatever was there before stays.
    """
    require_place(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise ReportError(f"{path} can't be written: {error.strerror or error}. Nothing was changed.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
