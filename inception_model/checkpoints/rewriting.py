"""A safetensors file with other metadata: its tensors are copied as bytes, so that no weight can change."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from .checkpoint import CheckpointError

_LENGTH = struct.Struct("<Q")
"""The first bytes of a safetensors file: how long its header is."""


def require_writable(path: Path) -> None:
    """Raises CheckpointError where a file can't be put there, before anything long is computed for it."""
    folder = path.parent
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: name a file")
    if not folder.is_dir():
        raise CheckpointError(f"the folder {folder} does not exist: make it first, or name another file")
    # A file that is marked read-only is meant to stay as it is, also for those who may write everywhere.
    if path.exists() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK)):
        raise CheckpointError(f"{path} is read-only: name another file with --out")
    if not os.access(folder, os.W_OK):
        raise CheckpointError(f"the folder {folder} can't be written to: name a file elsewhere with --out")


def rewritten(path: Path, changes: Mapping[str, str], out: Path) -> None:
    """Writes the safetensors file `path` with these entries of its metadata changed to `out`, whole or not at all.

    `path` has been read before (see `formats.read`), so that its header is what it should be. `out` may be `path`.
    """
    require_writable(out)
    target = out.resolve()  # where a link leads stays a file, and the link a link
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with path.open("rb") as source, part.open("wb") as file:
            header = json.loads(source.read(_LENGTH.unpack(source.read(_LENGTH.size))[0]))
            header["__metadata__"] = {**header.get("__metadata__", {}), **changes}
            text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
            text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
            file.write(_LENGTH.pack(len(text)) + text)
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(target.stat().st_mode if target.exists() else 0o644)
        part.replace(target)
    except OSError as error:
        raise CheckpointError(f"{out} can't be written: {error.strerror or error}. Nothing was changed.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
