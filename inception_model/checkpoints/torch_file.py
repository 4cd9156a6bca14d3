"""torch's files, as zip archive and in the format before 1.6 -> where their tensors lie. No code in them can run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from .checkpoint import CheckpointError
from .limits import AGAIN_WITH_TORCH, MAX_PICKLE, MAX_TENSORS, refuse_above
from .messages import first_few, shown
from .pickle_outline import Promise, outline
from .stored import Stored, span
from .zip_entries import zip_entries

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the older format."""
_PICKLE, _BYTE_ORDER, _SCRIPT = "data.pkl", "byteorder", "constants.pkl"
Places = dict[str, tuple[int, int]]
"""Key of a storage -> (first byte, bytes)."""


def read_torch(path: Path, *, zipped: bool) -> dict[str, Stored]:
    """A torch file's state dict, its tensors still in the file."""
    content, places = _zipped(path) if zipped else _plain(path)
    state = _state_dict(content)
    refuse_above(len(state), MAX_TENSORS, "tensors", "no GoogLeNet has so many")
    return {name: _stored(path, promise, places) for name, promise in state.items()}


def _zipped(path: Path) -> tuple[Any, Places]:
    entries = zip_entries(path)
    if _SCRIPT in entries:
        raise CheckpointError(f"a TorchScript archive; {AGAIN_WITH_TORCH}")
    if _PICKLE not in entries:
        raise CheckpointError(f"a zip archive that no torch wrote ({len(entries):,} entries); {AGAIN_WITH_TORCH}")
    with path.open("rb") as file:
        if _BYTE_ORDER in entries:
            start, size = entries[_BYTE_ORDER]
            file.seek(start)
            if file.read(min(size, 16)) != b"little":
                raise CheckpointError(f"written on a machine of another byte order; {AGAIN_WITH_TORCH} on this one")
        start, size = entries[_PICKLE]
        refuse_above(size, MAX_PICKLE, "bytes of pickle", AGAIN_WITH_TORCH)
        file.seek(start)
        content = outline(io.BytesIO(file.read(size))).value
    return content, {name.removeprefix("data/"): at for name, at in entries.items() if name.startswith("data/")}


def _plain(path: Path) -> tuple[Any, Places]:
    """Five pickles: magic number, version, machine, content, the storages' keys; then each one's count and bytes."""
    with path.open("rb") as file:
        head = io.BytesIO(file.read(MAX_PICKLE))
        if outline(head).value != MAGIC:
            raise CheckpointError(f"a pickle that no torch wrote; {AGAIN_WITH_TORCH}")
        _, machine, found, keys = outline(head), outline(head).value, outline(head), outline(head).value
        if not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise CheckpointError(f"written on a machine of another byte order; {AGAIN_WITH_TORCH} on this one")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise CheckpointError("its list of tensors' numbers is damaged")
        places: Places = {}
        at = head.tell()
        for key in keys:
            if key not in found.storages:  # nobody says how large one of its numbers is
                raise CheckpointError(f"it has numbers that belong to no tensor; {AGAIN_WITH_TORCH}")
            file.seek(at)
            size = int.from_bytes(file.read(8), "little") * found.storages[key].item
            places[key] = at + 8, size
            at += 8 + size
    return found.value, places


def _state_dict(content: Any) -> dict[str, Promise]:
    """The tensors by name: from a plain state dict, or from one inside a training checkpoint."""
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise CheckpointError(f"it holds {_kind(content)}; a state dict is needed")
    strangers = [_name(key) for key, value in content.items() if not isinstance(value, Promise)]
    if strangers:
        raise CheckpointError(
            f"it is no state dict: {first_few(map(shown, strangers[:4]))} hold no tensors "
            f"({len(strangers):,} of {len(content):,} entries)"
        )
    # DataParallel and torch.compile put their own word before every name.
    return {_name(key).removeprefix("module.").removeprefix("_orig_mod."): value for key, value in content.items()}


def _name(key: Any) -> str:
    return key if isinstance(key, str) else f"({type(key).__name__})"


def _kind(content: Any) -> str:
    return {list: "a list", tuple: "a tuple", Promise: "a single tensor", str: "a text"}.get(
        type(content), "a single value"
    )


def _stored(path: Path, promise: Promise, places: Places) -> Stored:
    """The tensor's bytes in the file; what it says must agree with how many numbers are there."""
    storage = promise.storage
    if storage is None:
        return Stored(path, None, promise.shape, promise.stride, ())
    if storage.key not in places:
        raise CheckpointError(f"a tensor whose numbers are missing; {AGAIN_WITH_TORCH}")
    start, size = places[storage.key]
    if size != storage.count * storage.item or start + size > path.stat().st_size:
        raise CheckpointError(
            f"a tensor says that it has {storage.count:,} numbers, and the file has {size:,} bytes for them or ends "
            "before; it may be cut off"
        )
    numbers = span(promise.shape, promise.stride)
    if promise.offset + numbers > storage.count:
        raise CheckpointError(
            f"a tensor reaches up to number {promise.offset + numbers:,} of {storage.count:,}; the file is damaged"
        )
    begin = start + promise.offset * storage.item
    return Stored(path, storage.dtype, promise.shape, promise.stride, ((begin, numbers * storage.item),))
