"""The strongest few images of every channel: chosen among some, then among the chosen of several lots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .observing import Floats, Places, Strengths

NOBODY = -1
"""Instead of an image where fewer than were asked for answer a channel at all."""


@dataclass(frozen=True)
class Strongest:
    """Of every channel its k strongest images, strongest first, (k, U) each: the image's number, the value, and the
    row and column of the map. Of equal ones the first; images that do not answer (0 or less) are left out."""

    images: NDArray[np.int32]
    values: Floats
    rows: Places
    columns: Places


def strongest(images: Sequence[int], found: Strengths, count: int) -> Strongest:
    """The `count` strongest of n images; `images`: their numbers, rising."""
    numbers = np.broadcast_to(np.asarray(images, dtype=np.int32)[:, None], found.values.shape)
    return _best(Strongest(numbers, found.values, found.rows, found.columns), count)


def merged(lots: Sequence[Strongest], count: int) -> Strongest:
    """The strongest of several lots, whose images rise from lot to lot."""
    columns = ("images", "values", "rows", "columns")
    return _best(Strongest(*(np.concatenate([getattr(lot, name) for lot in lots]) for name in columns)), count)


def _best(found: Strongest, count: int) -> Strongest:
    values = np.where((found.images != NOBODY) & (found.values > 0), found.values, 0)
    # Stable, so that among equal values the first image stays first.
    order = np.argsort(-values, axis=0, kind="stable")[:count]
    kept = [np.take_along_axis(each, order, axis=0) for each in (found.images, values, found.rows, found.columns)]
    nobody = kept[1] <= 0
    for each, empty in zip(kept, (NOBODY, 0, 0, 0), strict=True):
        each[nobody] = empty
    missing = count - len(order)
    if missing > 0:
        padding = zip(kept, (NOBODY, 0, 0, 0), strict=True)
        kept = [np.pad(each, ((0, missing), (0, 0)), constant_values=empty) for each, empty in padding]
    return Strongest(*kept)
