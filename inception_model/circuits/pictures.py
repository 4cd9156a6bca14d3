"""Connections in words and pictures: names, kernels in red and blue, and a sheet of both sides of a channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..architecture.address import UnitAddress
from ..architecture.spec import HEADS
from ..checkpoints.checkpoint import Checkpoint
from ..drawing import colormaps
from ..drawing.numbers import short, signed_number
from ..drawing.palette import node_name
from .connections import CONNECTIONS, IMAGE, Circuit, Connection

TILE = 120
"""Side of a kernel on the sheet, in pixels."""
_GAP, _LINE = 16, 15
_LETTERS = 19
"""As many as fit below a kernel."""
_COLOURS = {"R": "red", "G": "green", "B": "blue"}


def name_of(checkpoint: Checkpoint, unit: UnitAddress) -> str:
    """What a channel is called: `4c 3×3 17`, `conv2 9`, a class's words, `red of the image`."""
    if unit.conv == IMAGE:
        return f"{_COLOURS[checkpoint.preprocessing.channels[unit.channel]]} of the image"
    if unit.conv in HEADS:
        return short(checkpoint.label(unit.channel).words)
    place = node_name(unit.conv) if unit.module else unit.conv.replace("_", " ")
    return " ".join([*([unit.module] if unit.module else []), place, str(unit.channel)])


def scale_of(shown: Sequence[Connection]) -> float:
    """Where the colours of some kernels end, so that they can be compared: their largest weight."""
    return max((float(each.kernel.abs().max()) for each in shown), default=0.0)


def kernel_picture(one: Connection, scale: float) -> Image.Image:
    """One pixel per weight: red speaks for the channel that reads, blue against it, white is zero."""
    return Image.fromarray(colormaps.signed(np.asarray(one.kernel), scale))


def sheet(checkpoint: Checkpoint, found: Circuit, count: int = CONNECTIONS) -> Image.Image:
    """Two rows of kernels with names, sums and norms: what the channel reads, and what reads it."""
    rows = {"reads": found.reads[:count], "is read by": found.read_by[:count]}
    wide = max(1, *(len(row) for row in rows.values()))
    high = 2 * _LINE + TILE + 2 * _LINE + _GAP
    paper = Image.new("RGB", (wide * (TILE + _GAP) + _GAP, len(rows) * high + 3 * _LINE), "white")
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(12)
    for place, (title, row) in enumerate(rows.items()):
        top, scale = place * high + _LINE, scale_of(row)
        heading = f"{name_of(checkpoint, found.unit)} {title}: red for, blue against, to {signed_number(scale)}"
        draw.text((_GAP, top), _plain(heading), "black", font)
        for column, each in enumerate(row):
            left = _GAP + column * (TILE + _GAP)
            square = kernel_picture(each, scale).resize((TILE, TILE), Image.Resampling.NEAREST)
            paper.paste(square, (left, top + _LINE + 4))
            draw.rectangle((left, top + _LINE + 4, left + TILE, top + _LINE + 4 + TILE), outline="#5d6670")
            draw.text((left, top + TILE + _LINE + 8), _plain(name_of(checkpoint, each.unit))[:_LETTERS], "black", font)
            sums = f"norm {each.strength:.2g} sum {each.total:+.2g}"
            draw.text((left, top + TILE + 2 * _LINE + 8), sums, "#5d6670", font)
    draw.text((_GAP, len(rows) * high + _LINE), _plain(found.between), "#5d6670", font)
    return paper


def _plain(text: str) -> str:
    """In letters that Pillow's own font has."""
    return text.translate({0x2212: "-", 0xD7: "x"})
