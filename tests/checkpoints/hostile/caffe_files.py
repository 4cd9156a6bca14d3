"""Caffe's protobuf: numbers without end, messages in messages, lengths that lie; and TensorFlow's."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.checkpoints.hostile import Hostile, sparse
from tests.weight_files import blob, field, varint

ONES = torch.ones(2, 3)


def layer(*parts: bytes) -> bytes:
    """A net of one V1 layer."""
    return field(1, b"net") + field(2, b"".join(parts))


def weights(tensor: bytes) -> bytes:
    """An inner product of one blob."""
    return layer(field(4, b"fc"), field(5, 14), field(6, tensor))


def nested(number: int, depth: int) -> bytes:
    """A message in a message in a message ..."""
    pieces, size = [], 0
    for _ in range(depth):
        head = varint(number << 3 | 2) + varint(size)
        pieces.append(head)
        size += len(head)
    return b"".join(reversed(pieces))


def _promised(length: int) -> bytes:
    return field(1, b"net") + varint(2 << 3 | 2) + varint(length) + b"abc"


def _spread(path: Path) -> None:
    """A field in every page of 250 MB: looking at all of them takes the whole file into memory."""
    step = 4096
    head = field(1, b"net")
    with path.open("wb") as file:
        file.write(head)
        for at in range(len(head), 250_000_000, step):
            file.seek(at)
            file.write(varint(3 << 3 | 2) + varint(step - 3))
        file.truncate(at + step)


def _large(path: Path) -> None:
    """One inner product of 50 million zeros."""
    size = 200_000_000
    data = varint(5 << 3 | 2) + varint(size)
    shape = field(7, field(1, 50_000_000))
    blob_head = varint(6 << 3 | 2) + varint(len(shape + data) + size) + shape + data
    inner = field(4, b"fc") + blob_head
    beginning = field(1, b"net") + varint(2 << 3 | 2) + varint(len(inner) + size) + inner
    sparse(beginning, len(beginning) + size)(path)


DIMENSIONS = {
    "a size of 2^63": (1 << 63,), "sizes that overflow": (1 << 32, 1 << 32), "sizes of 2^40": (1 << 40,) * 8,
    "a negative size": ((1 << 64) - 2, 3),
}  # fmt: skip

FILES: dict[str, Hostile] = {
    "a number without end": Hostile(field(1, b"net") + b"\xff" * 10**6, "a number of more than ten bytes"),
    "a number that ends with the file": Hostile(field(1, b"net") + b"\xff" * 5, "in the middle of a number"),
    "a length of 2^63": Hostile(_promised(1 << 63), "bytes promised, 3 left"),
    "a length of 2^69": Hostile(_promised((1 << 70) - 1), "bytes promised, 3 left"),
    "a length beyond the file": Hostile(_promised(4), "4 bytes promised, 3 left"),
    "a layer that reaches beyond its net": Hostile(layer(varint(6 << 3 | 2) + varint(1000)), "1000 bytes promised"),
    "messages 100,000 deep": Hostile(field(1, b"net") + nested(2, 100_000), "no weights in them"),
    "V2 layers 100,000 deep": Hostile(field(1, b"net") + nested(100, 100_000), "no weights in them"),
    "blobs 100,000 deep": Hostile(layer(nested(6, 100_000)), "a Caffe blob says"),
    "shapes 100,000 deep": Hostile(weights(nested(7, 100_000)), "no whole count|says|wire type"),
    "a million fields": Hostile(field(1, b"net") + field(3, 1) * 10**6, "more than 200,000 fields"),
    "a million fields in a layer": Hostile(layer(field(9, 1) * 10**6), "more than 200,000 fields"),
    "a million layers": Hostile(field(1, b"net") + field(2, b"") * 10**6, "more than 10,000 layers"),
    "10,000 layers with a blob": Hostile(
        field(1, b"n")
        + b"".join(field(2, field(4, b"%d" % n) + field(6, blob(ONES, legacy=True))) for n in range(3000)),
        "more than 2,000 tensors",
    ),
    "100,000 blobs in a layer": Hostile(
        layer(field(4, b"fc"), field(6, field(5, bytes(4))) * 100_000), "more than 16 blobs"
    ),
    "a name of ten million letters": Hostile(layer(field(4, b"x" * 10**7)), "10,000,000 characters in a layer's name"),
    "a type of ten million letters": Hostile(
        field(1, b"net") + field(100, field(2, b"x" * 10**7)), "10,000,000 characters in a layer's name or type"
    ),
    "a name that is no text": Hostile(
        layer(field(4, b"\xff\x00\xfe"), field(6, blob(ONES, legacy=True))), r"unknown tensor names \(a name of 10"
    ),
    "a name that is a number": Hostile(layer(field(4, 7), field(6, blob(ONES, legacy=True))), r"unknown tensor names"),
    "ten million dimensions": Hostile(weights(field(7, field(1, b"\x01" * 10**7))), "more than 8 dimensions"),
    "100,000 dimensions one by one": Hostile(weights(field(7, field(1, 1) * 100_000)), "more than 8 dimensions"),
    **{
        name: Hostile(weights(blob(ONES, legacy=False, dims=dims)), "impossible size|says")
        for name, dims in DIMENSIONS.items()
    },
    "a legacy size of 2^63": Hostile(weights(field(1, 1 << 63) + field(5, bytes(4))), "impossible size"),
    "numbers one by one": Hostile(weights(b"\x2d\0\0\0\0" * 10**6), "more than 200,000 fields"),
    "numbers in 100,000 pieces": Hostile(
        weights(field(7, field(1, 100_000)) + field(5, bytes(4)) * 100_000), r"unknown tensor names \(fc\.weight\)"
    ),
    "fewer numbers than said": Hostile(
        weights(field(7, field(1, 1 << 30)) + field(5, bytes(400))), "holds 100 numbers"
    ),
    "half a number": Hostile(weights(field(5, bytes(401))), "401 bytes, which is no whole count"),
    "a group": Hostile(field(1, b"net") + b"\x13" * 10**6, "wire type 3"),
    "wire type 7": Hostile(field(1, b"net") + b"\x17", "wire type 7"),
    "field 0": Hostile(field(1, b"net") + b"\x02\x00", "cut off or damaged"),
    "900 MB": Hostile(sparse(field(1, b"net"), 900_000_000), "900,000,000 bytes, at most 251,658,240"),
    "250 MB of zeros": Hostile(sparse(field(1, b"net"), 250_000_000), "cut off or damaged|more than"),
    "250 MB of small fields": Hostile(_spread, "no weights in them|more than 200,000 fields"),
    "a blob of 200 MB of another network": Hostile(_large, r"unknown tensor names \(fc\.weight\)"),
    "TensorFlow's graph": Hostile(
        field(1, field(1, b"input") + field(2, b"Placeholder")) + field(1, field(1, b"conv2d0_w") + field(2, b"Const")),
        "not a .prototxt, a solver state or a TensorFlow graph",
    ),
}
