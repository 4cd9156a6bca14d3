"""Weight files that mean harm or are broken in every way that somebody thought of, made by code.

Each is refused in words or read, whichever is right, within `SECONDS` of a processor and `GROWTH` of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECONDS = 2.0
GROWTH = 300 * 10**6


@dataclass(frozen=True)
class Hostile:
    """A file's content, or what writes it; `said`: what the refusal says, None where the file is read."""

    content: bytes | Callable[[Path], None]
    said: str | None

    def write(self, path: Path) -> None:
        """The file."""
        if isinstance(self.content, bytes):
            path.write_bytes(self.content)
        else:
            self.content(path)


def later(make: Callable[[], bytes]) -> Callable[[Path], None]:
    """Writes what takes long to make: every process that collects tests reads the names, one needs the content."""

    def write(path: Path) -> None:
        path.write_bytes(make())

    return write


def sparse(beginning: bytes, size: int, end: bytes = b"") -> Callable[[Path], None]:
    """Writes a file of that size that takes no room on the disk: zeros between its beginning and its end."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(beginning)
            file.truncate(size)
            file.seek(size - len(end))
            file.write(end)

    return write
