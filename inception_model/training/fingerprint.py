"""What a list of labelled images is known by: the same list has the same hash, wherever its folder lies.

And what tells two runs over such a list apart.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .data import LabelledImages


def data_hash(images: LabelledImages, root: Path) -> str:
    """SHA-256 over every image's label and content: its bytes, or, for files, path below `root` and size."""
    digest = hashlib.sha256()
    for source, label in zip(images.encoded, images.labels.tolist(), strict=True):
        digest.update(f"{label}\0{image_name(source, 0, root)}\0".encode())
        digest.update(str(source.stat().st_size).encode() if isinstance(source, Path) else source)
    return digest.hexdigest()


def image_name(source: bytes | Path, index: int, root: Path) -> str:
    """The path below `root` of a file; `image N` for bytes."""
    if not isinstance(source, Path):
        return f"image {index}"
    return source.relative_to(root).as_posix() if source.is_relative_to(root) else source.name


def fingerprint(images: LabelledImages) -> int:
    """A number of the images' labels and sizes of files, by which a run that goes on knows its data again."""
    sizes = [source.stat().st_size if isinstance(source, Path) else len(source) for source in images.encoded]
    return zlib.crc32(np.stack([images.labels, np.asarray(sizes)]).astype(np.int64).tobytes())


class RunOver(Protocol):
    """What a run over images is known by: the SHA-256 `checkpoint` of the file and its `name`, the hash `data` of the
    list of `images`, and `settings`, all else that decides the result."""

    @property
    def checkpoint(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def images(self) -> int: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def format(self) -> int: ...


def run_difference(asked: RunOver, there: RunOver) -> str:
    """In words, what differs in the run that is there; empty where nothing does (the checkpoint's name alone may)."""
    found: list[str] = []
    if there.format != asked.format:
        found.append(f"format {there.format} instead of {asked.format}")
    if there.checkpoint != asked.checkpoint:
        found.append(
            f"checkpoint {there.name} ({there.checkpoint[:12]}) instead of {asked.name} ({asked.checkpoint[:12]})"
        )
    if (there.data, there.images) != (asked.data, asked.images):
        found.append(f"another list of images ({there.images} instead of {asked.images})")
    found += [
        f"{name} {there.settings.get(name)} instead of {asked.settings.get(name)}"
        for name in sorted({*asked.settings, *there.settings})
        if asked.settings.get(name) != there.settings.get(name)
    ]
    return "; ".join(found)
