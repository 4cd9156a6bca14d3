"""How many bytes of memory a value holds: what caches are bounded in."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

_PARTS = (list, tuple, set, frozenset)
_PLAIN = frozenset({int, float, bool, str, bytes, complex, type(None)})
"""What holds nothing else, and most of what there is: known by its type alone, which takes no time."""


def bytes_of(value: Any) -> int:
    """Bytes of all tensors, arrays, pictures and texts in a value, each counted once; plus those of its containers.

    A tensor or array counts with its whole storage, of which it may be a small view: that is what it keeps alive.
    """
    seen: set[object] = set()
    waiting, total = [value], 0
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind in _PLAIN:
            total += _once(seen, id(part), sys.getsizeof(part))
            continue
        if kind is tuple or kind is list or kind is dict:
            if _once(seen, id(part), 1):
                total += sys.getsizeof(part)
                waiting += [*part.keys(), *part.values()] if kind is dict else part
            continue
        if isinstance(part, Tensor):
            storage = part.untyped_storage()
            total += _once(seen, ("storage", storage.data_ptr(), storage.device), storage.nbytes())
            continue
        if isinstance(part, np.ndarray):
            while isinstance(part.base, np.ndarray):
                part = part.base
            if not isinstance(part.base, Tensor):
                total += _once(seen, id(part), part.nbytes)
                continue
            waiting.append(part.base)
            continue
        if isinstance(part, Image.Image):
            total += _once(seen, id(part), part.width * part.height * _pixel_bytes(part))
            continue
        if id(part) in seen:
            continue
        seen.add(id(part))
        total += sys.getsizeof(part, 0)
        if isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, _PARTS):
            waiting += part
        elif dataclasses.is_dataclass(part) and not isinstance(part, type):
            waiting += [getattr(part, field.name) for field in dataclasses.fields(part)]
        elif attributes := getattr(part, "__dict__", None):
            waiting += [] if isinstance(part, type) or callable(part) else attributes.values()
    return total


def _once(seen: set[object], what: object, size: int) -> int:
    """The size the first time, 0 from then on."""
    if what in seen:
        return 0
    seen.add(what)
    return size


def _pixel_bytes(picture: Image.Image) -> int:
    """Bytes of one pixel in Pillow's memory: 1 of a single 8-bit band, 4 of everything else, colours as well."""
    return 1 if picture.mode in ("1", "L", "P") else 4
