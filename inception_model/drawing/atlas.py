"""All channels of a node as one picture, with the geometry that finds a channel under the pointer."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .colormaps import STEPS, TABLES, Kind, Pixels, Values, full_scale, indices
from .numbers import number

Sort = Literal["index", "mean", "max", "spread"]
Scale = Literal["shared", "channel"]

SORTS: tuple[Sort, ...] = ("index", "mean", "max", "spread")
SCALES: tuple[Scale, ...] = ("shared", "channel")
DEFAULT_SORT: Sort = "index"
DEFAULT_SCALE: Scale = "shared"
GAP = STEPS
"""Palette entry of the space between cells: transparent."""


@dataclass(frozen=True)
class ChannelStats:
    """One number per channel, each (C,): mean, maximum, spread (standard deviation), share of positions above zero."""

    mean: Values
    max: Values
    spread: Values
    active: Values

    @property
    def dead(self) -> int:
        """Channels that are zero everywhere on this image."""
        return int((self.spread + np.abs(self.mean) == 0).sum())

    def rank(self, channel: int) -> int:
        """The channel's place by mean, 1 being the strongest."""
        return int((self.mean > self.mean[channel]).sum()) + 1


def channel_stats(values: NDArray[np.floating]) -> ChannelStats:
    """Statistics of each channel of an array (C, H, W)."""
    flat = np.asarray(values, np.float32).reshape(len(values), -1)
    mean = flat.mean(axis=1)
    # E[x^2] - E[x]^2 in one pass, without a centred copy; rounding may push it a hair below zero.
    spread = np.sqrt(np.maximum(np.einsum("ci,ci->c", flat, flat) / flat.shape[1] - mean * mean, 0))
    peak, low = flat.max(axis=1), flat.min(axis=1)
    spread[peak == low] = 0
    active = np.count_nonzero(flat > 0, axis=1) / flat.shape[1]
    return ChannelStats(mean, peak, spread.astype(np.float32), active.astype(np.float32))


@dataclass(frozen=True)
class Atlas:
    """All channels of one node as ONE PNG with a palette.

    `order[i]` is the channel in cell i; cells run along rows of `columns`. A cell is `cell` (height, width) pixels and
    `gap` transparent pixels follow it to the right and below. `scale` is the raw value at which the colours end, or
    None when each channel has its own (`scale_words` says it in words). `stats` are per channel, in channel order.
    """

    png: bytes
    columns: int
    rows: int
    cell: tuple[int, int]
    gap: int
    order: tuple[int, ...]
    scale: float | None
    kind: Kind
    stats: ChannelStats

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        height, width = self.cell
        return self.columns * (width + self.gap) - self.gap, self.rows * (height + self.gap) - self.gap

    @property
    def scale_words(self) -> str:
        """Where the colours end, in words."""
        if self.scale is None:
            return "every channel on its own scale, from 0 to its own maximum"
        low = number(-self.scale) if self.kind == "signed" else "0"
        return f"one scale for all channels, from {low} to {number(self.scale)}"


def channel_order(stats: ChannelStats, sort: Sort | NDArray[np.floating]) -> NDArray[np.intp]:
    """Channels as they are laid out: by index, or strongest first by a statistic or by a score array (C,)."""
    if not isinstance(sort, str):
        scores = np.asarray(sort)
        if scores.shape != stats.mean.shape:
            raise ValueError(f"scores have shape {scores.shape}; expected {stats.mean.shape}, one per channel")
    elif sort == "index":
        return np.arange(len(stats.mean))
    elif sort in SORTS:
        scores = getattr(stats, sort)
    else:
        raise ValueError(f"unknown order {sort!r}; allowed: {', '.join(SORTS)}, or one score per channel")
    return np.argsort(-scores, kind="stable")


def make_atlas(
    values: NDArray[np.floating],
    *,
    columns: int = 16,
    sort: Sort | NDArray[np.floating] = DEFAULT_SORT,
    scale: float | Scale = DEFAULT_SCALE,
    kind: Kind = "magma",
    gap: int = 1,
    stats: ChannelStats | None = None,
) -> Atlas:
    """Draws a node's array (C, H, W) as an atlas.

    `scale`: a raw value where the colours end (give several nodes the same), "shared" for this node's largest
    magnitude, or "channel" for a scale per channel. `stats` spares recomputing them.
    """
    if values.ndim != 3 or not values.size:
        raise ValueError(f"an atlas needs a non-empty array (C, H, W); got shape {values.shape}")
    if isinstance(scale, str) and scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}; allowed: {', '.join(SCALES)}, or a number")
    stats = stats or channel_stats(values)
    order = channel_order(stats, sort)
    ends: float | NDArray[np.floating]
    if scale == "channel":
        # max and mean alone decide for activations; signed channels need their largest magnitude.
        peaks = stats.max if kind == "magma" else np.abs(values).max(axis=(1, 2))
        ends = peaks[order][:, None, None]
    else:
        ends = full_scale(values) if scale == "shared" else float(scale)
    cells = indices(values[order], ends, kind)
    columns = min(columns, len(order))
    picture = _lay_out(cells, columns, gap)
    return Atlas(
        _palette_png(picture, kind),
        columns,
        math.ceil(len(order) / columns),
        (values.shape[1], values.shape[2]),
        gap,
        tuple(order.tolist()),
        None if scale == "channel" else float(ends),
        kind,
        stats,
    )


def _lay_out(cells: Pixels, columns: int, gap: int) -> Pixels:
    """(C, H, W) cells -> one picture (rows * (H + gap) - gap, columns * (W + gap) - gap)."""
    count, height, width = cells.shape
    rows = math.ceil(count / columns)
    sheet = np.full((rows * columns, height + gap, width + gap), GAP, np.uint8)
    sheet[:count, :height, :width] = cells
    grid = sheet.reshape(rows, columns, height + gap, width + gap).transpose(0, 2, 1, 3)
    picture = grid.reshape(rows * (height + gap), columns * (width + gap))
    return picture[: rows * (height + gap) - gap, : columns * (width + gap) - gap]


def _palette_png(picture: Pixels, kind: Kind) -> bytes:
    """A PNG of one byte per pixel whose palette is the colour table; the gap is transparent."""
    image = Image.fromarray(np.ascontiguousarray(picture), "P")
    image.putpalette(np.vstack([TABLES[kind], [[0, 0, 0]]]).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, transparency=GAP)
    return buffer.getvalue()
