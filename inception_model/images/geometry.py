"""Rectangles on photos."""

from __future__ import annotations

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
