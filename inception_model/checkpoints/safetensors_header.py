"""A safetensors file's header: bounded, then checked as a whole, before a byte of the tensors is read.

The format: eight bytes of length, that many bytes of JSON (name -> dtype, shape, offsets; `__metadata__` -> texts),
then the tensors' bytes without holes and overlaps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from . import plain_json
from .checkpoint import CheckpointError
from .limits import MAX_HEADER, MAX_TENSORS, refuse_above
from .stored import Stored, checked_sizes, contiguous, span

METADATA = "__metadata__"
_ADVICE = "no GoogLeNet has so many"

# Types that torch has and the format names; others keep their size only.
_DTYPES: dict[str, tuple[torch.dtype | None, int]] = {
    "F64": (torch.float64, 64), "F32": (torch.float32, 32), "F16": (torch.float16, 16), "BF16": (torch.bfloat16, 16),
    "I64": (torch.int64, 64), "I32": (torch.int32, 32), "I16": (torch.int16, 16), "I8": (torch.int8, 8),
    "U8": (torch.uint8, 8), "BOOL": (torch.bool, 8), "C64": (torch.complex64, 64),
    "U64": (None, 64), "U32": (None, 32), "U16": (None, 16), "F8_E5M2": (None, 8), "F8_E4M3": (None, 8),
    "F8_E8M0": (None, 8), "F8_E5M2FNUZ": (None, 8), "F8_E4M3FNUZ": (None, 8),
    "F6_E2M3": (None, 6), "F6_E3M2": (None, 6), "F4": (None, 4),
}  # fmt: skip


def read_safetensors(path: Path) -> tuple[dict[str, Stored], dict[str, str]]:
    """The tensors by name and the metadata; raises CheckpointError for everything that is not a whole file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        refuse_above(length, MAX_HEADER, "bytes of header")
        if size < 8 + length:
            raise CheckpointError(f"its header should have {length:,} bytes and the file ends before; it is cut off")
        header = plain_json.parse(file.read(length), MAX_HEADER, "its header")
    if not isinstance(header, dict):
        raise CheckpointError(f"its header is {plain_json.kind(header)}, where an object is expected")
    metadata = _metadata(header.pop(METADATA, {}))
    refuse_above(len(header), MAX_TENSORS, "tensors", _ADVICE)
    first = 8 + length
    tensors = {name: _tensor(path, first, entry) for name, entry in header.items()}
    _require_gapless(tensors, first, size)
    return tensors, metadata


def _metadata(value: Any) -> dict[str, str]:
    texts = plain_json.entries(value, "the header's part of texts", 64)
    if not all(isinstance(text, str) for text in texts.values()):
        raise CheckpointError("the header's part of texts holds something else than texts; the file is damaged")
    return texts


def _tensor(path: Path, first: int, entry: Any) -> Stored:
    entry = plain_json.fields(entry, "a tensor's entry", ("dtype", "shape", "data_offsets"))
    name = entry["dtype"]
    if not isinstance(name, str) or name not in _DTYPES:
        raise CheckpointError("a tensor of a type that safetensors doesn't have; the file is damaged")
    dtype, bits = _DTYPES[name]
    shape = checked_sizes(entry["shape"], "shape")
    offsets = checked_sizes(entry["data_offsets"], "offsets")
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError("a tensor whose offsets aren't a begin and an end; the file is damaged")
    begin, end = offsets
    stride = contiguous(shape)
    if (end - begin) * 8 != span(shape, stride) * bits:
        raise CheckpointError(f"a tensor has {end - begin:,} bytes, which don't fit its shape; the file is damaged")
    return Stored(path, dtype, shape, stride, ((first + begin, end - begin),))


def _require_gapless(tensors: dict[str, Stored], first: int, size: int) -> None:
    """Every byte behind the header belongs to exactly one tensor."""
    at = first
    for start, length in sorted(tensor.chunks[0] for tensor in tensors.values()):
        if start != at:
            raise CheckpointError(f"its tensors {'overlap' if start < at else 'leave a hole'}; the file is damaged")
        at += length
    if at != size:
        raise CheckpointError(
            f"its tensors should end after {at:,} bytes, and the file has {size:,}; it may be cut off"
        )
