"""Pictures made by parameters, by name and in sets, and as photos.

`selectivity.py` shows them to channels, whole: no crop is cut out, so cycles are cycles per input image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields
from functools import cache

import numpy as np
from PIL import Image

from .decode import Photo
from .patterns import Arcs, Checkerboard, Dots, Edge, Grating, Patch, Stimulus
from .preprocessing import Preprocessing

FAMILIES: dict[str, type[Stimulus]] = {
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
    return FAMILIES[family](**parameters)


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
