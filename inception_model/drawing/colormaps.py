"""Values -> colours: magma from zero for activations, blue-white-red symmetric about zero for signed values."""

from __future__ import annotations

from html import escape
from typing import Literal

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from .numbers import number

Kind = Literal["magma", "signed"]
Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]

STEPS = 255
"""Colours in a table: an odd number, so that zero has the middle one of the signed table to itself."""

_SIGNED_STOPS = ((5, 48, 97), (67, 147, 195), (255, 255, 255), (214, 96, 77), (103, 0, 31))


def _signed_table() -> Pixels:
    where = np.linspace(0, 1, len(_SIGNED_STOPS))
    at = np.linspace(0, 1, STEPS)
    columns = [np.interp(at, where, [stop[i] for stop in _SIGNED_STOPS]) for i in range(3)]
    return np.stack(columns, axis=1).round().astype(np.uint8)


TABLES: dict[Kind, Pixels] = {
    "magma": (colormaps["magma"](np.linspace(0, 1, STEPS))[:, :3] * 255).round().astype(np.uint8),
    "signed": _signed_table(),
}
"""(255, 3) RGB of each colour map, lowest value first."""


def indices(values: NDArray[np.floating], scale: float | NDArray[np.floating], kind: Kind = "magma") -> Pixels:
    """Values of any shape -> their place in the colour table, 0..254.

    Magma runs from 0 to `scale`, signed from -`scale` to `scale`; what lies outside takes the end colour. `scale` is
    a number or an array that broadcasts; where it is not positive, everything is drawn as zero.
    """
    step = np.divide(1.0, scale, out=np.zeros_like(scale, dtype=np.float32), where=np.asarray(scale) > 0)
    if kind == "magma":
        drawn = np.asarray(values, np.float32) * (step * (STEPS - 1)) + np.float32(0.5)
    else:
        half = (STEPS - 1) / 2
        drawn = np.asarray(values, np.float32) * (step * half) + np.float32(half + 0.5)
    return np.asarray(np.clip(drawn, 0, STEPS - 0.5), np.uint8)


def magma(values: NDArray[np.floating], scale: float) -> Pixels:
    """Activations (...) -> RGB (..., 3): black at zero, brightest at `scale` and above."""
    return TABLES["magma"][indices(values, scale, "magma")]


def signed(values: NDArray[np.floating], scale: float) -> Pixels:
    """Signed values (...) -> RGB (..., 3): blue at -`scale`, white at zero, red at `scale`."""
    return TABLES["signed"][indices(values, scale, "signed")]


FOR, AGAINST = (190, 20, 40), (25, 80, 170)
"""RGB of what speaks for an answer and of what speaks against it, where strength is opacity."""


def layer(values: NDArray[np.floating], scale: float) -> Pixels:
    """Signed values (...) -> RGBA (..., 4): clear at zero, all of FOR's red at `scale`, all of AGAINST's blue at
    -`scale`. To be laid over a photo, which shows through where the values are small."""
    shares = np.clip(np.asarray(values, np.float32) / scale, -1, 1) if scale > 0 else np.zeros(np.shape(values))
    colours = np.where(shares[..., None] >= 0, np.array(FOR), np.array(AGAINST))
    return np.concatenate([colours, np.abs(shares * 255)[..., None].round()], axis=-1).astype(np.uint8)


def full_scale(values: NDArray[np.floating]) -> float:
    """The largest magnitude: where the colours of these values end (0 for a dead map)."""
    return float(np.abs(values).max()) if values.size else 0.0


def colour_bar(scale: float, kind: Kind | Literal["layer"] = "magma", unit: str = "activation") -> str:
    """A colour bar as SVG text: the colours with raw values below them; text takes the page's colour.

    `layer`: the clear colours that lie over a photo. `unit`: any text, which is escaped.
    """
    if kind == "layer":
        ends_and_middle = ((0, AGAINST, 1), (0.5, AGAINST, 0), (0.5, FOR, 0), (1, FOR, 1))
        stops = "".join(
            f'<stop offset="{at}" stop-color="rgb({r},{g},{b})" stop-opacity="{opacity}"/>'
            for at, (r, g, b), opacity in ends_and_middle
        )
    else:
        table = TABLES[kind][:: (STEPS - 1) // 14]
        stops = "".join(
            f'<stop offset="{i / (len(table) - 1):.3f}" stop-color="rgb({r},{g},{b})"/>'
            for i, (r, g, b) in enumerate(table)
        )
    ends = [0.0, scale / 2, scale] if kind == "magma" else [-scale, 0.0, scale]
    anchors = zip((1, 120, 239), ("start", "middle", "end"), ends, strict=True)
    ticks = "".join(f'<text x="{x}" y="25" text-anchor="{anchor}">{number(v)}</text>' for x, anchor, v in anchors)
    name = escape(unit)
    says = f"Colour bar: {name} from {number(ends[0])} to {number(ends[-1])}"
    return (
        f'<svg viewBox="0 0 240 42" width="240" height="42" role="img" aria-label="{says}">'
        f'<defs><linearGradient id="bar-{kind}">{stops}</linearGradient></defs>'
        f'<rect width="240" height="10" rx="2" fill="url(#bar-{kind})"/>'
        f'<g font-size="12" fill="currentColor" style="font-variant-numeric:tabular-nums">{ticks}'
        f'<text x="120" y="40" text-anchor="middle" opacity="0.65">{name}</text></g></svg>'
    )
