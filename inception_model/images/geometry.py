"""Rectangles on photos."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle on the photo, in its pixels: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def clipped(self, size: tuple[int, int]) -> Box:
        """The part that lies on a photo of that (width, height)."""
        width, height = size
        return Box(
            max(0.0, self.left), max(0.0, self.top), min(float(width), self.right), min(float(height), self.bottom)
        )

    def scaled(self, x: float, y: float) -> Box:
        """The same rectangle on a photo that is so many times as wide and as high."""
        return Box(self.left * x, self.top * y, self.right * x, self.bottom * y)


LEAST_SQUARE = 16
"""Shortest side, in pixels of the photo, of a square that the network is shown: less says nothing about the photo."""


def read_square(text: str, size: tuple[int, int]) -> Box:
    """`X,Y,SIDE` in pixels of a photo of that (width, height) -> a square on it; ValueError says what was wrong."""
    width, height = size
    room = f"inside the photo's {width} × {height} px, with a side of at least {LEAST_SQUARE} px"
    if not re.fullmatch("[0-9]{1,6},[0-9]{1,6},[0-9]{1,6}", text):
        raise ValueError(f"a square is X,Y,SIDE, three whole numbers of pixels, {room}; got {text[:40]!r}")
    left, top, side = map(int, text.split(","))
    if side < LEAST_SQUARE or left + side > width or top + side > height:
        raise ValueError(f"the square {text} is impossible: it must lie {room}")
    return Box(left, top, left + side, top + side)


def square_text(square: Box) -> str:
    """The square as `read_square` reads it."""
    return f"{square.left:.0f},{square.top:.0f},{square.width:.0f}"
