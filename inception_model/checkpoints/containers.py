"""A weight file's container (safetensors, torch or Caffe's protobuf) -> named tensors. All of them are untrusted.

Nothing of a tensor's size is read here: what a container holds is described (see `stored`), compared with what a
GoogLeNet can have (see `limits`), and read only once a network fits it (see `fitting`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .caffe import looks_like_caffe, read_caffemodel
from .checkpoint import CheckpointError
from .limits import MAX_FILE
from .safetensors_header import read_safetensors
from .stored import Stored, check_budget
from .torch_file import read_torch


@dataclass(frozen=True)
class Raw:
    """What a container holds: tensors by the names that the file gives them, still in the file, and text metadata."""

    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_container(path: Path) -> Raw:
    """A file's named tensors, whichever container they are in (told by its first bytes, not by its name)."""
    size = path.stat().st_size
    if size > MAX_FILE:
        raise CheckpointError(f"{size / 1e6:.0f} MB; the largest GoogLeNet file is far below {MAX_FILE / 1e6:.0f} MB")
    with path.open("rb") as file:
        head = file.read(16)
    raw = _read(path, head)
    check_budget(raw.tensors)
    return raw


def _read(path: Path, head: bytes) -> Raw:
    if head[8:9] == b"{":
        return _explained("a safetensors file", lambda: Raw(*read_safetensors(path)))
    zipped = head[:4] == b"PK\x03\x04"
    if zipped or head[:1] == b"\x80":
        return _explained("a torch file", lambda: Raw(read_torch(path, zipped=zipped)))
    if looks_like_caffe(head):
        return Raw(read_caffemodel(path))
    raise CheckpointError(
        f"{'a file of no known format' if head else 'an empty file'}; "
        "expected safetensors, a torch .pth or a Caffe .caffemodel"
    )


def _explained(what: str, reading: Callable[[], Raw]) -> Raw:
    """What was found, with the container that it was found in."""
    try:
        return reading()
    except CheckpointError as error:
        raise CheckpointError(f"{what} that can't be read: {error}") from error
