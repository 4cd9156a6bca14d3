"""What one photo's look says of all channels at once: each one's peak and where it lies."""

from __future__ import annotations

import numpy as np

from ..architecture.spec import NetworkSpec
from ..inference.trace import Trace
from ..visualization.places import Place
from .channels import channels_of
from .observing import Strengths


def peaks_of(spec: NetworkSpec, trace: Trace) -> Strengths:
    """Of the first image of a trace, (1, U): the largest activation of every channel of the modules, with its row and
    column. A trace says nothing of the stem: 0 there."""
    channels = channels_of(spec)
    shape = 1, channels.total
    found = Strengths(np.zeros(shape, np.float32), np.zeros(shape, np.int16), np.zeros(shape, np.int16))
    for place, lane in channels.lanes.items():
        if place.module is None:
            continue
        maps = trace.block(place.module).node(place.unit)[0]
        flat = maps.flatten(1).numpy()
        where = flat.argmax(axis=1)
        found.values[0, lane] = flat.max(axis=1)
        found.rows[0, lane], found.columns[0, lane] = np.divmod(where, maps.shape[-1])
    return found


def peak_at(found: Strengths, spec: NetworkSpec, place: Place, channel: int) -> tuple[float, int, int]:
    """Of one channel: value, row, column."""
    number = channels_of(spec).number(place, channel)
    return float(found.values[0, number]), int(found.rows[0, number]), int(found.columns[0, number])
