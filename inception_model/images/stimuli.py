"""Pictures made by parameters: gratings, edges, dots, arcs, colour patches, checkerboards.

`selectivity.py` shows them to channels, whole: no crop is cut out, so cycles are cycles per input image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .decode import Photo
from .preprocessing import Preprocessing

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


class Stimulus(Protocol):
    """A picture made by parameters: a frozen dataclass whose RANGES say what each number may be."""

    RANGES: ClassVar[dict[str, Range]]

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        ...


def _check(stimulus: Stimulus) -> None:
    for name, allowed in stimulus.RANGES.items():
        value = getattr(stimulus, name)
        if not allowed.low <= value <= allowed.high:
            raise ValueError(
                f"{name} of {type(stimulus).__name__} is {value:g}; allowed: {allowed.low:g} to {allowed.high:g} "
                f"{allowed.unit}"
            )
    axis = getattr(stimulus, "axis", "grey")
    if axis not in COLOUR_AXES:
        raise ValueError(f"unknown colour axis {axis!r}; allowed: {', '.join(COLOUR_AXES)}")


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
class Grating:
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

    def __post_init__(self) -> None:
        _check(self)

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        waves = 2 * np.pi * self.frequency * _along(side, self.orientation) + np.deg2rad(self.phase)
        return _paint(np.sin(waves), self.contrast, self.axis)


@dataclass(frozen=True)
class Edge:
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

    def __post_init__(self) -> None:
        _check(self)

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        distance = _along(side, self.orientation) - self.offset
        width = max(self.blur, 0.5 / side)
        return _paint(np.clip(distance / width, -1, 1), self.contrast, self.axis)


@dataclass(frozen=True)
class Dots:
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

    def __post_init__(self) -> None:
        _check(self)

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        x, y = ((at - 0.5) * SIDE for at in _positions(side))
        nearest = [(at + self.spacing / 2) % self.spacing - self.spacing / 2 for at in (x, y)]
        inside = np.clip(self.radius - np.hypot(*nearest) + 0.5, 0, 1)
        return _paint(np.asarray(inside), self.contrast, self.axis)


@dataclass(frozen=True)
class Arcs:
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

    def __post_init__(self) -> None:
        _check(self)

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
class Patch:
    """One even colour: `hue` in degrees (0 red, 120 green, 240 blue), saturation and lightness from 0 to 1."""

    hue: float = 0.0
    saturation: float = 1.0
    lightness: float = 0.5
    RANGES: ClassVar[dict[str, Range]] = {
        "hue": Range(0, 360, 10, "degrees"),
        "saturation": Range(0, 1, 0.05, "of full colour"),
        "lightness": Range(0, 1, 0.05, "of white"),
    }

    def __post_init__(self) -> None:
        _check(self)

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        colour = f"hsl({self.hue % 360:.3f}, {self.saturation:.4%}, {self.lightness:.4%})"
        return Image.new("RGB", (side, side), colour)


@dataclass(frozen=True)
class Checkerboard:
    """Squares: `cells` along each side, as many dark as light ones where that number is even."""

    cells: float = 8.0
    contrast: float = 1.0
    axis: ColourAxis = "grey"
    RANGES: ClassVar[dict[str, Range]] = {
        "cells": Range(1, 112, 1, "cells per side", octaves=True),
        "contrast": _CONTRAST,
    }

    def __post_init__(self) -> None:
        _check(self)

    def image(self, side: int = SIDE) -> Image.Image:
        """RGB, side x side pixels."""
        x, y = ((at * self.cells).astype(int) for at in _positions(side))
        return _paint(1.0 - 2.0 * ((x + y) % 2), self.contrast, self.axis)


FAMILIES: dict[str, type[Grating] | type[Edge] | type[Dots] | type[Arcs] | type[Patch] | type[Checkerboard]] = {
    "grating": Grating,
    "edge": Edge,
    "dots": Dots,
    "arcs": Arcs,
    "patch": Patch,
    "checkerboard": Checkerboard,
}
"""Every kind of stimulus by name; the numbers that may be varied are the keys of its RANGES."""


def make(family: str, **parameters: object) -> Stimulus:
    """A stimulus by the name of its family; raises KeyError, TypeError or ValueError that say what is allowed."""
    if family not in FAMILIES:
        raise KeyError(f"unknown stimulus {family!r}; allowed: {', '.join(FAMILIES)}")
    known = [f.name for f in fields(FAMILIES[family])]
    unknown = set(parameters) - set(known)
    if unknown:
        raise TypeError(f"a {family} has no {', '.join(sorted(unknown))}; it has: {', '.join(known)}")
    return FAMILIES[family](**parameters)  # type: ignore[arg-type]


MIDDLE_GREY = Patch(0, 0, 0.5)
"""What every swing goes about: a picture without a pattern."""


def describe(stimulus: Stimulus) -> str:
    """A stimulus with all its parameters: `grating (orientation 90, frequency 12, phase 0, contrast 1, grey)`."""
    family = next(name for name, kind in FAMILIES.items() if isinstance(stimulus, kind))
    numbers = [f"{name} {getattr(stimulus, name):g}" for name in stimulus.RANGES]
    axis = getattr(stimulus, "axis", None)
    return f"{family} ({', '.join([*numbers, axis] if axis else numbers)})"


def as_photo(stimulus: Stimulus, preprocessing: Preprocessing) -> Photo:
    """A stimulus as a photo of which the network sees exactly `stimulus.image()`: the margin that the centre crop
    cuts off mirrors the picture."""
    side = preprocessing.size
    pixels = np.asarray(stimulus.image(side))
    margin = max(0, round((preprocessing.resize - side) / 2))
    image = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="reflect"))
    return _photo(image, describe(stimulus))


def _photo(image: Image.Image, name: str) -> Photo:
    return Photo(image, hashlib.sha256(image.tobytes()).hexdigest(), name)


def stimulus_set(
    family: str, parameter: str, values: Iterable[float] | int = 12, **fixed: object
) -> tuple[tuple[float, Stimulus], ...]:
    """Stimuli that differ in one number: (value, stimulus) for each value, or for `values` of them over its range."""
    base = make(family, **fixed)
    if parameter not in base.RANGES:
        raise KeyError(f"a {family} can't be varied in {parameter!r}; allowed: {', '.join(base.RANGES)}")
    chosen = base.RANGES[parameter].values(values) if isinstance(values, int) else tuple(values)
    return tuple((value, make(family, **{**fixed, parameter: value})) for value in chosen)


SAMPLE_STIMULI: dict[str, Image.Image] = {
    "grating": Grating(45, 10).image(),
    "edge": Edge(70).image(),
    "dots": Dots(10, 40).image(),
    "orange patch": Patch(28, 0.9, 0.55).image(),
    "checkerboard": Checkerboard(8).image(),
    "red-green grating": Grating(135, 6, axis="red-green").image(),
}
"""Generated pictures to look at before any upload, by name; all are 224 x 224."""


@cache
def sample_stimuli() -> tuple[Photo, ...]:
    """SAMPLE_STIMULI as photos to look at; their hash is that of their pixels."""
    return tuple(_photo(image, name) for name, image in SAMPLE_STIMULI.items())
