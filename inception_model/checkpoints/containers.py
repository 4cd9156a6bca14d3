"""A weight file's container (safetensors, torch or Caffe's protobuf) -> named tensors. All of them are untrusted."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from .caffe import looks_like_caffe, read_caffemodel
from .checkpoint import CheckpointError

MAX_BYTES = 1 << 30
"""No GoogLeNet is larger; a file that is (or says it is once unpacked) isn't read."""


@dataclass(frozen=True)
class Raw:
    """What a container holds: tensors by the names that the file gives them, and text metadata."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_container(path: Path) -> Raw:
    """A file's named tensors, whichever container they are in (told by its first bytes, not by its name)."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise CheckpointError(f"{size / 1e6:.0f} MB; the largest GoogLeNet file is far below {MAX_BYTES / 1e6:.0f} MB")
    with path.open("rb") as file:
        head = file.read(16)
    if head[8:9] == b"{":
        return _read_safetensors(path)
    if head[:4] == b"PK\x03\x04" or head[:1] == b"\x80":
        return Raw(_read_torch(path))
    if looks_like_caffe(head):
        return Raw(read_caffemodel(path.read_bytes()))
    raise CheckpointError(
        f"{'an empty file' if not head else f'a file that begins with {head!r}'}; "
        "expected safetensors, a torch .pth or a Caffe .caffemodel"
    )


def _read_safetensors(path: Path) -> Raw:
    try:
        with safe_open(path, "pt") as file:
            return Raw({key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {})  # noqa: SIM118
    except Exception as error:  # the file is untrusted: whatever the reader stumbles over is the file's fault
        raise CheckpointError(f"a safetensors file that can't be read ({error}); it may be cut off") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    """A torch file's state dict. Only tensors are unpickled: no code in the file can run."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > MAX_BYTES:
                raise CheckpointError(f"{unpacked / 1e6:.0f} MB once unpacked; the limit is {MAX_BYTES / 1e6:.0f} MB")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # as above
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"a torch file that can't be read as plain tensors ({reason}); it may be cut off, or hold a whole module: "
            "save `model.state_dict()` instead"
        ) from error
    return _state_dict(content)


def _state_dict(content: object) -> dict[str, Tensor]:
    """The tensors by name: from a plain state dict, or from one inside a training checkpoint."""
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise CheckpointError(f"a torch file that holds a {type(content).__name__}; a state dict is needed")
    strangers = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strangers:
        raise CheckpointError(f"a torch file that is no state dict: {', '.join(strangers[:3])} hold no tensors")
    # DataParallel and torch.compile put their own word before every name.
    return {str(key).removeprefix("module.").removeprefix("_orig_mod."): value for key, value in content.items()}
