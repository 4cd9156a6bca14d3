"""Finding, reading and writing checkpoints by name or path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .checkpoint import ASSETS, BUNDLED, Checkpoint, CheckpointError
from .download import PUBLISHED, fetched
from .formats import read
from .safetensors_format import write


def save(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Writes a checkpoint as fp16 safetensors (atomically) and returns it as read back, with the file's hash.

    Its name and hash are not stored: the one belongs to whoever loads it, the other to the file.
    """
    write(checkpoint, path)
    return read(path).with_name(checkpoint.name)


def load(name_or_path: str | Path) -> Checkpoint:
    """A checkpoint by its name (see `download.PUBLISHED`; `tiny-imagenet` is bundled) or from a file of any format.

    Raises CheckpointError where there is none, or where the file is not what its format promises.
    """
    name = str(name_or_path)
    if name == BUNDLED:
        return _bundled()
    if name in PUBLISHED:
        return PUBLISHED[name].describe(read(fetched(PUBLISHED[name])))
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        known = ", ".join((BUNDLED, *PUBLISHED))
        raise CheckpointError(f"no checkpoint {name!r}: it is neither a file nor one of the known names ({known})")
    return read(path)


def _bundled() -> Checkpoint:
    """The checkpoint in `assets`, with the card that lies beside it."""
    folder = ASSETS / "checkpoints"
    found = read(folder / f"{BUNDLED}.safetensors")
    card = folder / f"{BUNDLED}.md"
    return replace(found, name=BUNDLED, card=card.read_text(encoding="utf-8") if card.is_file() else found.card)
