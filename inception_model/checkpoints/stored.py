"""A tensor that still lies in its file: what it is, and where its bytes are. Nothing is read before `read`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .checkpoint import CheckpointError
from .limits import MAX_DATA, MAX_DIMENSIONS, MAX_NAME, MAX_SIZE, MAX_TENSORS, refuse_above

_PIECE = 1 << 20
"""Numbers that are looked at at once: what they cost in between stays small."""


@dataclass(frozen=True)
class Stored:
    """A tensor of a file. `chunks`: (first byte, bytes) of what it spans, in order; `stride` as torch counts it.

    `dtype` is None for what can't be read as a plain array (sparse, quantised, eight-bit numbers, without content).
    """

    path: Path
    dtype: torch.dtype | None
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    chunks: tuple[tuple[int, int], ...]

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    @property
    def bytes(self) -> int:
        """What is read for it."""
        return sum(size for _, size in self.chunks)

    def reshaped(self, shape: tuple[int, ...]) -> Stored:
        """The same numbers in the same order; only for arrays without gaps."""
        return replace(self, shape=shape, stride=contiguous(shape))

    def read(self) -> Tensor:
        """The numbers, in memory of their own, on the CPU."""
        if self.dtype is None:
            raise CheckpointError("a tensor that is no plain array of numbers")
        if not self.bytes:
            return torch.empty(self.shape, dtype=self.dtype)
        raw = np.empty(self.bytes, dtype=np.uint8)
        at = 0
        with self.path.open("rb") as file:
            for start, size in self.chunks:
                file.seek(start)
                if file.readinto(raw[at : at + size].data) != size:
                    raise CheckpointError("the file became shorter while it was read; try again")
                at += size
        flat = torch.from_numpy(raw).view(self.dtype)
        return flat.as_strided(self.shape, self.stride)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array without gaps."""
    return tuple(prod(shape[at + 1 :]) for at in range(len(shape)))


def span(shape: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """How many numbers lie between the first and the last one of an array, both counted."""
    return 0 if 0 in shape else 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))


def checked_sizes(sizes: object, what: str) -> tuple[int, ...]:
    """A shape or strides out of a file: few whole numbers from 0 on, none of which is absurd."""
    if not isinstance(sizes, list | tuple):
        raise CheckpointError(f"a tensor whose {what} should be a list of whole numbers; the file is damaged")
    refuse_above(len(sizes), MAX_DIMENSIONS, f"dimensions in a tensor's {what}")
    if not all(type(size) is int and 0 <= size <= MAX_SIZE for size in sizes):
        raise CheckpointError(f"a tensor whose {what} should be whole numbers from 0 on; the file is damaged")
    return tuple(sizes)


def check_budget(tensors: Mapping[str, Stored]) -> None:
    """Refuses more tensors, longer names or more bytes than a GoogLeNet can have; nothing has been read until then."""
    refuse_above(len(tensors), MAX_TENSORS, "tensors", "no GoogLeNet has so many")
    refuse_above(max(map(len, tensors), default=0), MAX_NAME, "characters in a tensor's name")
    total = sum(tensor.bytes for tensor in tensors.values())
    if total > MAX_DATA:
        raise CheckpointError(
            f"its tensors take {total / 1e6:,.0f} MB, at most {MAX_DATA / 1e6:,.0f} MB are read; no GoogLeNet is so "
            "large: save it as float16 or with fewer classes"
        )


def all_finite(tensor: Tensor) -> bool:
    """Whether no number is infinite or NaN, looked at in pieces; what is repeated is looked at once."""
    repeated = [axis for axis, step in enumerate(tensor.stride()) if step == 0 and tensor.shape[axis] > 1]
    for axis in repeated:
        tensor = tensor.narrow(axis, 0, 1)
    flat = tensor.reshape(-1)
    return all(bool(flat[at : at + _PIECE].isfinite().all()) for at in range(0, flat.numel(), _PIECE))
