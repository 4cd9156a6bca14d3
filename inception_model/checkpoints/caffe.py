"""Caffe's `.caffemodel`: as much of the protobuf wire format as its weights need, V1 and V2 layers.

Field numbers are those of Caffe's `caffe.proto`. The file is untrusted: every length is checked against what is left,
fields and layers are counted, and no message is entered that weights don't lie in, however deep a file nests them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

from .checkpoint import CheckpointError
from .limits import (
    AGAIN,
    MAX_BLOBS,
    MAX_DATA,
    MAX_DIMENSIONS,
    MAX_FIELDS,
    MAX_LAYERS,
    MAX_NAME,
    MAX_SIZE,
    MAX_TENSORS,
    refuse_above,
    refuse_beyond,
)
from .stored import Stored, contiguous

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_INNER_PRODUCT = (14, "InnerProduct")  # as V1's number and as V2's name


@dataclass(frozen=True)
class _LayerFields:
    """Where a layer message keeps its name, type and blobs."""

    name: int
    type: int
    blobs: int


# NetParameter's field of the layers -> the numbers inside a layer.
_LAYERS = {2: _LayerFields(name=4, type=5, blobs=6), 100: _LayerFields(name=1, type=2, blobs=7)}

_Place = tuple[int, int]
"""Where the bytes of a field begin and end."""


def looks_like_caffe(head: bytes) -> bool:
    """Whether a file's first bytes can open a NetParameter: its name, or a V1 or V2 layer."""
    return head[:1] in (b"\x0a", b"\x12") or head[:2] == b"\xa2\x06"


def read_caffemodel(path: Path) -> dict[str, Stored]:
    """Every layer's blobs as `LAYER.weight`, `LAYER.bias` (and `LAYER.blob2`, ...), still in the file.

    Convolution weights are (out, in, h, w), inner products' (out, in), biases (out,); layers without blobs are left
    out. Raises CheckpointError on anything that is not a whole NetParameter with weights.
    """
    # Mapped, not read: of the weights themselves no page is touched.
    refuse_above(path.stat().st_size, MAX_DATA, "bytes")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Reader(path, data).read()


class _Reader:
    """One walk through a file, which counts what it meets."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.met = path, data, 0

    def read(self) -> dict[str, Stored]:
        tensors: dict[str, Stored] = {}
        layers = 0
        for number, value in self.fields((0, len(self.data))):
            if number not in _LAYERS or isinstance(value, int):
                continue
            layers += 1
            refuse_beyond(layers, MAX_LAYERS, "layers")
            tensors.update(self.layer(value, _LAYERS[number]))
            refuse_beyond(len(tensors), MAX_TENSORS, "tensors", "no GoogLeNet has so many")
        if not tensors:
            raise CheckpointError(
                f"a protobuf file with {layers} Caffe layers and no weights in them; "
                "a .caffemodel is needed (not a .prototxt, a solver state or a TensorFlow graph)"
            )
        return tensors

    def layer(self, place: _Place, where: _LayerFields) -> dict[str, Stored]:
        name, kind = "", None
        blobs: list[Stored] = []
        for number, value in self.fields(place):
            if number == where.name and not isinstance(value, int):
                name = self.text(value)
            elif number == where.type:
                kind = value if isinstance(value, int) else self.text(value)
            elif number == where.blobs and not isinstance(value, int):
                refuse_beyond(len(blobs) + 1, MAX_BLOBS, "blobs in one layer")
                blobs.append(self.blob(value))
        named = {f"{name}.{('weight', 'bias')[i] if i < 2 else f'blob{i}'}": blob for i, blob in enumerate(blobs)}
        # Legacy blobs have four dimensions whatever they hold: inner products (1, 1, out, in), biases (1, 1, 1, out).
        for key, blob in named.items():
            if key.endswith(".bias"):
                named[key] = blob.reshaped((prod(blob.shape),))
            elif kind in _INNER_PRODUCT and blob.ndim == 4 and blob.shape[:2] == (1, 1):
                named[key] = blob.reshaped(blob.shape[2:])
        return named

    def blob(self, place: _Place) -> Stored:
        """A BlobProto: shape=7 or the legacy num=1, channels=2, height=3, width=4; data=5 or double_data=8."""
        legacy = {1: 1, 2: 1, 3: 1, 4: 1}
        shape: tuple[int, ...] | None = None
        chunks: dict[int, list[_Place]] = {5: [], 8: []}
        for number, value in self.fields(place):
            if number in legacy and isinstance(value, int):
                legacy[number] = value
            elif number == 7 and not isinstance(value, int):
                shape = self.dimensions(value)
            elif number in chunks and not isinstance(value, int):
                chunks[number].append((value[0], value[1] - value[0]))
        number, kind, item = (5, torch.float32, 4) if chunks[5] else (8, torch.float64, 8)
        size = sum(length for _, length in chunks[number])
        if size % item:
            raise CheckpointError(f"a Caffe blob of {size} bytes, which is no whole count of numbers")
        shape = tuple(legacy.values()) if shape is None else shape
        if max(shape, default=0) > MAX_SIZE:  # a negative size is one of nearly 2^64
            raise CheckpointError("a Caffe blob of an impossible size; the file is damaged")
        if prod(shape) != size // item:
            raise CheckpointError(f"a Caffe blob says {shape} and holds {size // item} numbers")
        return Stored(self.path, kind, shape, contiguous(shape), tuple(chunks[number]))

    def dimensions(self, place: _Place) -> tuple[int, ...]:
        """A BlobShape: dim=1, packed or one by one."""
        dims: list[int] = []
        for number, value in self.fields(place):
            if number != 1:
                continue
            if isinstance(value, int):
                dims.append(value)
            else:
                at, end = value
                while at < end and len(dims) <= MAX_DIMENSIONS:
                    dim, at = self.varint(at, end)
                    dims.append(dim)
            refuse_beyond(len(dims), MAX_DIMENSIONS, "dimensions in a Caffe blob")
        return tuple(dims)

    def text(self, place: _Place) -> str:
        refuse_above(place[1] - place[0], MAX_NAME, "characters in a layer's name or type")
        return self.data[place[0] : place[1]].decode("utf-8", "replace")

    def fields(self, place: _Place) -> Iterator[tuple[int, int | _Place]]:
        """(field number, value) of a protobuf message: an int for varints, the place of everything else."""
        at, end = place
        while at < end:
            self.met += 1
            refuse_beyond(self.met, MAX_FIELDS, "fields")
            tag, at = self.varint(at, end)
            number, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                value, at = self.varint(at, end)
                yield number, value
                continue
            if wire == _BYTES:
                length, at = self.varint(at, end)
            elif wire in (_FIXED32, _FIXED64):
                length = 4 if wire == _FIXED32 else 8
            else:
                raise CheckpointError(f"no protobuf: wire type {wire} at byte {at}; {AGAIN}")
            if number == 0 or length > end - at:
                raise CheckpointError(f"the Caffe file is cut off or damaged: {length} bytes promised, {end - at} left")
            yield number, (at, at + length)
            at += length

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """A varint and the position behind it."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise CheckpointError("the Caffe file is cut off in the middle of a number")
            byte = self.data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise CheckpointError("no protobuf: a number of more than ten bytes")
