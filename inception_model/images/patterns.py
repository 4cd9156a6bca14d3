"""What pictures made by parameters look like: gratings, edges, dots, arcs, colour patches, checkerboards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 224
ColourAxis = Literal["grey", "red-green", "blue-yellow"]
Floats = NDArray[np.float64]

COLOUR_AXES: dict[ColourAxis, tuple[float, float, float]] = {
    "grey": (1.0, 1.0, 1.0),
    # The two opponent axes keep the mean of R, G and B: only colour changes along them, not the network's grey level.
    "red-green": (1.0, -1.0, 0.0),
    "blue-yellow": (-0.5, -0.5, 1.0),
}
"""Direction in RGB along which a stimulus swings about middle grey."""


@dataclass(frozen=True)
class Range:
    """Allowed values of a parameter, its unit, and the step of a slider. `octaves`: steps worth taking are ratios."""

    low: float
    high: float
    step: float
    unit: str
    octaves: bool = False

    def values(self, count: int) -> tuple[float, ...]:
        """`count` values evenly spread; an angle's last value is left out because it equals the first."""
        if self.octaves:
            return tuple(np.clip(np.geomspace(self.low, self.high, count), self.low, self.high).tolist())
        around = self.unit == "degrees"
        return tuple(np.linspace(self.low, self.high, count, endpoint=not around).tolist())


@dataclass(frozen=True)
class Stimulus(ABC):
    """A picture made by parameters, whose RANGES say what each number may be; raises ValueError for another one."""

    RANGES: ClassVar[dict[str, Range]]

    def __post_init__(self) -> None:
        for name, allowed in self.RANGES.items():
            value = getattr(self, name)
            if not allowed.low <= value <= allowed.high:
                raise ValueError(
                    f"{name} of {type(self).__name__} is {value:g}; allowed: {allowed.low:g} to {allowed.high:g} "
                    f"{allowed.unit}"
                )
        axis = getattr(self, "axis", "grey")
        if axis not in COLOUR_AXES:
            raise ValueError(f"unknown colour axis {axis!r}; allowed: {', '.join(COLOUR_AXES)}")

    @abstractmethod
    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""


def _positions(side: int) -> tuple[Floats, Floats]:
    """x and y of every pixel's centre, from 0 to 1, each (side, side)."""
    at = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(at, at)
    return x, y


def _along(side: int, orientation: float) -> Floats:
    """Distance across stripes of that orientation (degrees anticlockwise from horizontal), about the centre."""
    x, y = _positions(side)
    angle = np.deg2rad(orientation)
    return np.asarray((x - 0.5) * np.sin(angle) + (y - 0.5) * np.cos(angle))


def _paint(pattern: Floats, contrast: float, axis: ColourAxis) -> Image.Image:
    """A pattern in [-1, 1] (side, side) -> a picture that swings about middle grey along a colour axis."""
    pixels = 0.5 + 0.5 * contrast * pattern[..., None] * np.asarray(COLOUR_AXES[axis])
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))


_ORIENTATION = Range(0, 180, 5, "degrees")
_CONTRAST = Range(0, 1, 0.05, "of the full swing")
_PHASE = Range(0, 360, 15, "degrees")


@dataclass(frozen=True)
class Grating(Stimulus):
    """A sine grating. Orientation 0 has horizontal stripes; `frequency` counts cycles per image."""

    orientation: float = 90.0
    frequency: float = 12.0
    phase: float = 0.0
    contrast: float = 1.0
    axis: ColourAxis = "grey"
    RANGES: ClassVar[dict[str, Range]] = {
        "orientation": _ORIENTATION,
        "frequency": Range(0.5, 56, 0.5, "cycles per image", octaves=True),
        "phase": _PHASE,
        "contrast": _CONTRAST,
    }

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        waves = 2 * np.pi * self.frequency * _along(side, self.orientation) + np.deg2rad(self.phase)
        return _paint(np.sin(waves), self.contrast, self.axis)


@dataclass(frozen=True)
class Edge(Stimulus):
    """One straight edge between two halves. `offset` shifts it from the centre, `blur` is its width, of the side."""

    orientation: float = 90.0
    offset: float = 0.0
    blur: float = 0.0
    contrast: float = 1.0
    axis: ColourAxis = "grey"
    RANGES: ClassVar[dict[str, Range]] = {
        "orientation": Range(0, 360, 10, "degrees"),
        "offset": Range(-0.5, 0.5, 0.05, "of the side"),
        "blur": Range(0, 0.25, 0.01, "of the side"),
        "contrast": _CONTRAST,
    }

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        distance = _along(side, self.orientation) - self.offset
        width = max(self.blur, 0.5 / side)
        return _paint(np.clip(distance / width, -1, 1), self.contrast, self.axis)


@dataclass(frozen=True)
class Dots(Stimulus):
    """Round dots on a square lattice, in pixels of a 224 pixel image; negative contrast makes them dark."""

    radius: float = 8.0
    spacing: float = 32.0
    contrast: float = 1.0
    axis: ColourAxis = "grey"
    RANGES: ClassVar[dict[str, Range]] = {
        "radius": Range(1, 56, 1, "pixels", octaves=True),
        "spacing": Range(4, 224, 4, "pixels", octaves=True),
        "contrast": Range(-1, 1, 0.05, "of the full swing"),
    }

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        x, y = ((at - 0.5) * SIDE for at in _positions(side))
        nearest = [(at + self.spacing / 2) % self.spacing - self.spacing / 2 for at in (x, y)]
        inside = np.clip(self.radius - np.hypot(*nearest) + 0.5, 0, 1)
        return _paint(np.asarray(inside), self.contrast, self.axis)


@dataclass(frozen=True)
class Arcs(Stimulus):
    """Equal pieces of circles on a square lattice, in pixels of a 224 pixel image; negative contrast makes them dark.

    `orientation` is the way that they bulge, anticlockwise from the right; `radius` the circle's, so that a long one
    leaves a straight line, and `length` the line's own, whatever its radius. What leaves its cell is cut off.
    """

    orientation: float = 90.0
    radius: float = 16.0
    length: float = 40.0
    width: float = 5.0
    spacing: float = 60.0
    contrast: float = 1.0
    axis: ColourAxis = "grey"
    RANGES: ClassVar[dict[str, Range]] = {
        "orientation": Range(0, 360, 10, "degrees"),
        "radius": Range(4, 1024, 4, "pixels", octaves=True),
        "length": Range(4, 112, 4, "pixels", octaves=True),
        "width": Range(1, 28, 1, "pixels", octaves=True),
        "spacing": Range(8, 224, 4, "pixels", octaves=True),
        "contrast": Range(-1, 1, 0.05, "of the full swing"),
    }

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        x, y = ((at - 0.5) * SIDE for at in _positions(side))
        near = [(at + self.spacing / 2) % self.spacing - self.spacing / 2 for at in (x, -y)]
        way = np.deg2rad(self.orientation)
        out = near[0] * np.cos(way) + near[1] * np.sin(way)
        along = near[1] * np.cos(way) - near[0] * np.sin(way)
        half = min(self.length / (2 * self.radius), np.pi)
        # The piece lies about its cell's middle: half of what it bulges to either side.
        out = out + self.radius - self.radius * (1 - np.cos(half)) / 2
        angle = np.abs(np.arctan2(along, out))
        ends = np.hypot(out - self.radius * np.cos(half), np.abs(along) - self.radius * np.sin(half))
        distance = np.where(angle <= half, np.abs(np.hypot(out, along) - self.radius), ends)
        return _paint(np.asarray(np.clip(self.width / 2 - distance + 0.5, 0, 1)), self.contrast, self.axis)


@dataclass(frozen=True)
class Patch(Stimulus):
    """One even colour: `hue` in degrees (0 red, 120 green, 240 blue), saturation and lightness from 0 to 1."""

    hue: float = 0.0
    saturation: float = 1.0
    lightness: float = 0.5
    RANGES: ClassVar[dict[str, Range]] = {
        "hue": Range(0, 360, 10, "degrees"),
        "saturation": Range(0, 1, 0.05, "of full colour"),
        "lightness": Range(0, 1, 0.05, "of white"),
    }

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        colour = f"hsl({self.hue % 360:.3f}, {self.saturation:.4%}, {self.lightness:.4%})"
        return Image.new("RGB", (side, side), colour)


@dataclass(frozen=True)
class Checkerboard(Stimulus):
    """Squares: `cells` along each side, as many dark as light ones where that number is even."""

    cells: float = 8.0
    contrast: float = 1.0
    axis: ColourAxis = "grey"
    RANGES: ClassVar[dict[str, Range]] = {
        "cells": Range(1, 112, 1, "cells per side", octaves=True),
        "contrast": _CONTRAST,
    }

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        x, y = ((at * self.cells).astype(int) for at in _positions(side))
        return _paint(1.0 - 2.0 * ((x + y) % 2), self.contrast, self.axis)
