"""Safetensors: headers that lie, repeat, nest, overflow or go on for ever."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torchvision.models import GoogLeNet as TorchvisionGoogLeNet

from tests.checkpoints.hostile import Hostile, sparse

NAN32, NAN16 = struct.pack("<f", float("nan")), struct.pack("<e", float("inf"))


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A file of this header (JSON, or bytes as they are), whose length may be said wrongly."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def entry(shape: Any = (2,), begin: Any = 0, end: Any = 8, dtype: Any = "F32") -> dict[str, Any]:
    """A tensor's entry in the header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def one(data: bytes = bytes(8), **changes: Any) -> bytes:
    """A file of one tensor."""
    return safetensors({"a": entry(**changes)}, data)


def nothings(count: int) -> bytes:
    """A header of that many tensors without numbers."""
    rows = ",".join(f'"{at}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for at in range(count))
    return safetensors(f"{{{rows}}}".encode())


@cache
def torchvision_shapes(classes: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's network without aux heads."""
    with torch.device("meta"):
        network = TorchvisionGoogLeNet(num_classes=classes, aux_logits=False, init_weights=False)
    return {k: tuple(v.shape) for k, v in network.state_dict().items() if not k.endswith("tracked")}


def torchvision_file(classes: int, dtype: str, item: int, end: bytes) -> Callable[[Path], None]:
    """A whole file of the published structure, all zeros but its last bytes."""
    header, at = {}, 0
    for name, shape in torchvision_shapes(classes).items():
        size = item * int(torch.Size(shape).numel())
        header[name] = entry(shape, at, at + size, dtype)
        at += size
    beginning = safetensors(header)
    return sparse(beginning, len(beginning) + at, end)


def zeros(count: int) -> Callable[[Path], None]:
    """Writes one tensor of that many numbers."""
    beginning = one(b"", shape=[count], end=4 * count)
    return sparse(beginning, len(beginning) + 4 * count)


DEEP = 100_000
FILES: dict[str, Hostile] = {
    "a header of 2^60 bytes": Hostile(safetensors({}, length=1 << 60), r"1,152,921,504,606,846,976 bytes of header"),
    "a header of 2^64 - 1 bytes": Hostile(safetensors({}, length=(1 << 64) - 1), "bytes of header, at most"),
    "a header of 500 MB": Hostile(
        sparse(safetensors(b'{"a":', length=500 << 20), 510 << 20), "524,288,000 bytes of header"
    ),
    "a header beyond the file": Hostile(
        safetensors({}, length=1000), "should have 1,000 bytes and the file ends before"
    ),
    "a million tensors of no size": Hostile(
        safetensors(b"{" + b'"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},' * 10**6 + b"}"), "bytes of header"
    ),
    "as many tensors as a header can hold": Hostile(
        nothings(140_000), "its header has 980,000 values, at most 400,000"
    ),
    "57,000 tensors": Hostile(nothings(57_000), "57,000 tensors, at most 2,000 are read"),
    "2,001 tensors": Hostile(nothings(2_001), "2,001 tensors, at most 2,000"),
    "one name for all": Hostile(
        safetensors(b"{" + b'"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},' * 1000 + b'"b":1}'),
        "something twice",
    ),
    "lists eight million deep": Hostile(
        safetensors(b'{"a":' + b"[" * (8 * 10**6)), "its header has 8,000,001 values, at most 400,000"
    ),
    "lists 100,000 deep": Hostile(safetensors(b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}"), "nested too deeply"),
    "objects 100,000 deep": Hostile(safetensors(b'{"a":' * DEEP + b"1" + b"}" * DEEP), "nested too deeply"),
    "400,000 empty objects": Hostile(safetensors(b'{"a":[' + b"{}," * 190_000 + b"1]}"), "a tensor's entry is a list"),
    "a number of a million digits": Hostile(safetensors(b'{"a":' + b"9" * 10**6 + b"}"), "no JSON"),
    "a text of eight million signs": Hostile(safetensors({"a": "x" * (8 * 10**6)}), "a tensor's entry is a text"),
    "a name of a million signs": Hostile(
        safetensors({"x" * 10**6: entry()}, bytes(8)), "1,000,000 characters in a tensor's name, at most 256"
    ),
    "half a character as a name": Hostile(
        safetensors(b'{"\\ud800":' + json.dumps(entry()).encode() + b"}", bytes(8)), "a name of 1 characters"
    ),
    "a header in UTF-16": Hostile(safetensors("{}  ".encode("utf-16-le")), "no JSON"),
    "a header that is no text": Hostile(safetensors(b'{"\xff\xfe": 1}'), "no JSON"),
    "a header of nothing": Hostile(safetensors(b"{}"), r"unknown tensor names \(\)"),
    "a header that is cut": Hostile(safetensors(b'{"a"'), "no JSON"),
    "NaN as a size": Hostile(
        safetensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}'), "no finite number"
    ),
    "Infinity as an offset": Hostile(safetensors(b'{"a":{"shape":[Infinity]}}'), "no finite number"),
    "1e999 as a size": Hostile(
        safetensors(b'{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}', bytes(8)), "whole numbers from 0 on"
    ),
    "an entry that is nothing": Hostile(safetensors({"a": None}), "a tensor's entry is nothing"),
    "an entry that is a list": Hostile(safetensors({"a": [1]}), "a tensor's entry is a list"),
    "an entry without a type": Hostile(safetensors({"a": {"shape": [], "data_offsets": [0, 0]}}), "lacks dtype"),
    "an entry with more": Hostile(safetensors({"a": entry() | {"more": 1}}, bytes(8)), "1 fields that nobody knows"),
    "a type of no name": Hostile(one(dtype="F99"), "of a type that safetensors doesn't have"),
    "a type that is a list": Hostile(one(dtype=["F32"]), "of a type that safetensors doesn't have"),
    "a negative size": Hostile(one(shape=[-2]), "whole numbers from 0 on"),
    "a size of 2^62": Hostile(one(shape=[1 << 62]), "whole numbers from 0 on"),
    "a size of 10^400": Hostile(one(shape=[10**400]), "whole numbers from 0 on"),
    "sizes whose product overflows": Hostile(one(shape=[1 << 32, 1 << 32]), "8 bytes, which don't fit its shape"),
    "sizes whose product is 0 modulo 2^64": Hostile(one(b"", shape=[1 << 33] * 8, end=0), "0 bytes, which don't fit"),
    "nine dimensions": Hostile(one(shape=[1] * 9), "9 dimensions"),
    "a million dimensions": Hostile(one(shape=[1] * 300_000), "300,000 dimensions"),
    "a half size": Hostile(one(shape=[2.0]), "whole numbers from 0 on"),
    "a size in words": Hostile(one(shape=["2"]), "whole numbers from 0 on"),
    "a true size": Hostile(one(shape=[True, 2]), "whole numbers from 0 on"),
    "a shape that is a number": Hostile(one(shape=2), "should be a list of whole numbers"),
    "offsets that turn around": Hostile(one(begin=8, end=0), "aren't a begin and an end"),
    "negative offsets": Hostile(one(begin=-8, end=0), "whole numbers from 0 on"),
    "offsets beyond the file": Hostile(one(begin=1 << 39, end=(1 << 39) + 8), "leave a hole"),
    "one offset": Hostile(safetensors({"a": entry() | {"data_offsets": [8]}}, bytes(8)), "aren't a begin and an end"),
    "tensors that overlap": Hostile(safetensors({"a": entry(), "b": entry(begin=4, end=12)}, bytes(12)), "overlap"),
    "two tensors at one place": Hostile(safetensors({"a": entry(), "b": entry()}, bytes(8)), "overlap"),
    "a hole between tensors": Hostile(safetensors({"a": entry(), "b": entry(begin=12, end=20)}, bytes(20)), "a hole"),
    "bytes behind the tensors": Hostile(one(bytes(100)), "it may be cut off"),
    "missing bytes": Hostile(one(bytes(7)), "it may be cut off"),
    "texts that are numbers": Hostile(safetensors({"__metadata__": {"format": 1}}), "something else than texts"),
    "texts that are a list": Hostile(safetensors({"__metadata__": ["format"]}), "where an object is expected"),
    "a thousand texts": Hostile(
        safetensors({"__metadata__": {str(at): "" for at in range(1000)}}), "part of texts has 1,000 entries"
    ),
    "a text of 10 MB": Hostile(safetensors({"__metadata__": {"card": "x" * 10**7}}), "bytes of header"),
    "900 MB of another network": Hostile(zeros(225_000_000), "take 900 MB, at most 252 MB"),
    "200 MB of another network": Hostile(zeros(50_000_000), r"unknown tensor names \(a\)"),
    "2 GB": Hostile(sparse(safetensors({}), 2 << 30), "2147 MB; the largest GoogLeNet"),
    "NaN as the last of 40 million numbers": Hostile(torchvision_file(32_768, "F32", 4, NAN32), "no finite numbers"),
    "infinity as the last of 40 million numbers": Hostile(
        torchvision_file(32_768, "F16", 2, NAN16), "no finite numbers"
    ),
    "too many classes": Hostile(torchvision_file(32_769, "F16", 2, b""), r"fc\.bias has shape \(32769,\)"),
    "eight-bit weights": Hostile(torchvision_file(10, "F8_E4M3", 1, b""), "no finite numbers in a plain array"),
    "whole numbers as weights": Hostile(torchvision_file(10, "I64", 8, b""), "no finite numbers in a plain array"),
    "zeros": Hostile(torchvision_file(10, "F16", 2, b""), None),
}
