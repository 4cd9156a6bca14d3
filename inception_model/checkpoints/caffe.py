"""Caffe's `.caffemodel`: as much of the protobuf wire format as its weights need, V1 and V2 layers.

Field numbers are those of Caffe's `caffe.proto`. The file is untrusted: every length is checked against what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from .checkpoint import CheckpointError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_INNER_PRODUCT = (14, "InnerProduct")  # as V1's number and as V2's name
MAX_LAYERS = 10_000


@dataclass(frozen=True)
class _LayerFields:
    """Where a layer message keeps its name, type and blobs."""

    name: int
    type: int
    blobs: int


# NetParameter's field of the layers -> the numbers inside a layer.
_LAYERS = {2: _LayerFields(name=4, type=5, blobs=6), 100: _LayerFields(name=1, type=2, blobs=7)}


def looks_like_caffe(head: bytes) -> bool:
    """Whether a file's first bytes can open a NetParameter: its name, or a V1 or V2 layer."""
    return head[:1] in (b"\x0a", b"\x12") or head[:2] == b"\xa2\x06"


def read_caffemodel(data: bytes) -> dict[str, Tensor]:
    """Every layer's blobs as `LAYER.weight`, `LAYER.bias` (and `LAYER.blob2`, ...), float32.

    Convolution weights are (out, in, h, w), inner products' (out, in), biases (out,); layers without blobs are left
    out. Raises CheckpointError on anything that is not a whole NetParameter with weights.
    """
    tensors: dict[str, Tensor] = {}
    layers = 0
    for number, value in _fields(memoryview(data)):
        if number not in _LAYERS or not isinstance(value, memoryview):
            continue
        layers += 1
        if layers > MAX_LAYERS:
            raise CheckpointError(f"a Caffe file with more than {MAX_LAYERS} layers")
        tensors.update(_layer(value, _LAYERS[number]))
    if not tensors:
        raise CheckpointError(
            f"a protobuf file with {layers} Caffe layers and no weights in them; "
            "a .caffemodel is needed (not a .prototxt, a solver state or a TensorFlow graph)"
        )
    return tensors


def _layer(message: memoryview, where: _LayerFields) -> dict[str, Tensor]:
    name, kind, blobs = "", None, []
    for number, value in _fields(message):
        if number == where.name and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", "replace")
        elif number == where.type:
            kind = bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else value
        elif number == where.blobs and isinstance(value, memoryview):
            blobs.append(_blob(value))
    named = {f"{name}.{('weight', 'bias')[i] if i < 2 else f'blob{i}'}": blob for i, blob in enumerate(blobs)}
    # Legacy blobs have four dimensions whatever they hold: inner products (1, 1, out, in), biases (1, 1, 1, out).
    for key, blob in named.items():
        if key.endswith(".bias"):
            named[key] = blob.flatten()
        elif kind in _INNER_PRODUCT and blob.ndim == 4 and blob.shape[:2] == (1, 1):
            named[key] = blob[0, 0]
    return named


def _blob(message: memoryview) -> Tensor:
    """A BlobProto: shape=7 or the legacy num=1, channels=2, height=3, width=4; data=5 (float) or double_data=8."""
    legacy = {1: 1, 2: 1, 3: 1, 4: 1}
    shape: tuple[int, ...] | None = None
    chunks: dict[int, list[memoryview]] = {5: [], 8: []}
    for number, value in _fields(message):
        if number in legacy and isinstance(value, int):
            legacy[number] = value
        elif number == 7 and isinstance(value, memoryview):
            shape = _dimensions(value)
        elif number in chunks and isinstance(value, memoryview):
            chunks[number].append(value)
    number, kind = (5, "<f4") if chunks[5] else (8, "<f8")
    raw = b"".join(chunks[number])
    if len(raw) % np.dtype(kind).itemsize:
        raise CheckpointError(f"a Caffe blob of {len(raw)} bytes, which is no whole count of numbers")
    values = np.frombuffer(raw, dtype=kind).astype(np.float32)
    shape = tuple(legacy.values()) if shape is None else shape
    if prod(shape) != values.size or min(shape, default=1) < 0:
        raise CheckpointError(f"a Caffe blob says {shape} and holds {values.size} numbers")
    return torch.from_numpy(values).reshape(shape)


def _dimensions(message: memoryview) -> tuple[int, ...]:
    """A BlobShape: dim=1, packed or one by one."""
    dims: list[int] = []
    for number, value in _fields(message):
        if number != 1:
            continue
        if isinstance(value, int):
            dims.append(value)
            continue
        at = 0
        while at < len(value):
            dim, at = _varint(value, at)
            dims.append(dim)
    if len(dims) > 8:
        raise CheckpointError(f"a Caffe blob of {len(dims)} dimensions")
    return tuple(dims)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a protobuf message: an int for varints, the bytes of everything else."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise CheckpointError(f"no protobuf: wire type {wire} at byte {at}")
        if number == 0 or length > len(message) - at:
            raise CheckpointError(
                f"the Caffe file is cut off or damaged: {length} bytes promised, {len(message) - at} left"
            )
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A varint and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise CheckpointError("the Caffe file is cut off in the middle of a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise CheckpointError("no protobuf: a number of more than ten bytes")
