"""Published checkpoints: where they lie, how they are fetched (only when asked for) and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .checkpoint import Checkpoint


@dataclass(frozen=True)
class Published:
    """One published weight file."""

    name: str

    def describe(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with what is known about the publication."""
        return checkpoint.with_name(self.name)


PUBLISHED: dict[str, Published] = {}
"""Every published checkpoint by name."""


def local_file(entry: Published) -> Path:
    """The fetched file."""
    raise FileNotFoundError(entry.name)
