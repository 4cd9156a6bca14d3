"""The 144 crops that the paper averages over (section 7): four scales, three squares, six places, with mirrors.

The shorter side is resized to 256, 288, 320 and 352 pixels. Of each result the left, centre and right square are taken
(top, centre and bottom of a portrait), and of each square the four corners and the centre at the network's own size and
the whole square resized to it, all of them mirrored as well: 4 x 3 x 6 x 2 = 144.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..architecture.spec import DEFAULT_SIZE
from .geometry import Box
from .preprocessing import Preprocessing

SCALES = (256, 288, 320, 352)
"""Shorter sides for a network of 224 pixels; others grow and shrink with their own size."""
SQUARES = (0, 1, 2)
Place = Literal["upper left", "upper right", "lower left", "lower right", "centre", "whole"]
PLACES: tuple[Place, ...] = get_args(Place)
COUNTS = (1, 10, 144)
"""How many crops the paper's Table 3 averages over."""

LONGEST = 12
"""Photos up to so many times as long as wide are resized as a whole."""

Size = tuple[int, int]
PixelBox = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""


@dataclass(frozen=True)
class Crop:
    """One of the 144: shorter side of the resized photo for a network of 224 pixels (others: `scaled`), square (0, 1, 2
    along the longer side), place, mirrored."""

    scale: int
    square: int
    place: Place
    mirrored: bool

    def words(self, size: Size, side: int = DEFAULT_SIZE) -> str:
        """What it is, on a photo of that (width, height): `shorter side 288, left square, upper right, mirrored`.

        `side`: what the network takes, in pixels.
        """
        parts = [f"shorter side {scaled(self.scale, side)}", f"{square_names(size)[self.square]} square", self.place]
        return ", ".join([*parts, "mirrored"] if self.mirrored else parts)


def all_crops() -> tuple[Crop, ...]:
    """The 144 in the order of the paper's sentence: scale, square, place, mirror."""
    return tuple(
        Crop(scale, square, place, mirrored)
        for scale in SCALES
        for square in SQUARES
        for place in PLACES
        for mirrored in (False, True)
    )


def _adding_order() -> tuple[Crop, ...]:
    """The centre of the centre square at 256, then the rest of the ten usual crops, then all others as laid out."""

    def step(crop: Crop) -> int:
        usual = crop.scale == SCALES[0] and crop.square == 1 and crop.place != "whole"
        return 2 if not usual else 0 if crop.place == "centre" and not crop.mirrored else 1

    return tuple(sorted(all_crops(), key=step))


CROPS: tuple[Crop, ...] = _adding_order()
"""All 144, so that the first one, the first ten (four corners and centre with mirrors, as in Krizhevsky et al. 2012)
and all of them are the rows of Table 3."""


def first_crops(count: int) -> tuple[Crop, ...]:
    """The first `count` of CROPS; raises ValueError where there are not so many."""
    if not 1 <= count <= len(CROPS):
        raise ValueError(f"{count} crops were asked for; allowed: 1 to {len(CROPS)}")
    return CROPS[:count]


def square_names(size: Size) -> tuple[str, str, str]:
    """What the three squares of a photo of that (width, height) are called."""
    return ("top", "centre", "bottom") if size[1] > size[0] else ("left", "centre", "right")


def scaled(scale: int, side: int) -> int:
    """A shorter side of SCALES for a network that takes `side` pixels."""
    return round(scale * side / DEFAULT_SIZE)


def resized(size: Size, scale: int, side: int = DEFAULT_SIZE) -> Size:
    """Width and height of the photo with the shorter side at `scale`, the longer one rounded down as torchvision's."""
    short = scaled(scale, side)
    long = int(short * max(size) / min(size))
    return (short, long) if size[0] <= size[1] else (long, short)


def square_box(crop: Crop, size: Size, side: int = DEFAULT_SIZE) -> PixelBox:
    """The crop's square on the resized photo, in its pixels."""
    wide, high = resized(size, crop.scale, side)
    short = min(wide, high)
    room = max(wide, high) - short
    start = (0, round(room / 2), room)[crop.square]
    left, top = (0, start) if high > wide else (start, 0)
    return left, top, left + short, top + short


def crop_box(crop: Crop, size: Size, side: int = DEFAULT_SIZE) -> PixelBox:
    """The crop on the resized photo, in its pixels; the whole square is larger than what the network takes."""
    left, top, right, bottom = square_box(crop, size, side)
    if crop.place == "whole":
        return left, top, right, bottom
    x, y = _offset(crop.place, right - left - side)
    return left + x, top + y, left + x + side, top + y + side


def _offset(place: Place, room: int) -> tuple[int, int]:
    """Where a crop begins in its square: columns from the left, rows from the top; `room`: the most there is."""
    if place == "centre":
        return round(room / 2), round(room / 2)
    return room * place.endswith("right"), room * place.startswith("lower")


def box_on_photo(crop: Crop, size: Size, side: int = DEFAULT_SIZE) -> Box:
    """The crop on a photo of that (width, height), in the photo's pixels."""
    return _on_photo(crop_box(crop, size, side), crop, size, side)


def _on_photo(box: PixelBox, crop: Crop, size: Size, side: int) -> Box:
    wide, high = resized(size, crop.scale, side)
    x, y = size[0] / wide, size[1] / high
    return Box(box[0] * x, box[1] * y, min(box[2] * x, float(size[0])), min(box[3] * y, float(size[1])))


@dataclass(frozen=True, eq=False)
class Views:
    """What a network is shown: different pictures (D, S, S, 3) uint8, and of each crop the place of its picture (n,).

    On a square photo the three squares are one, so that 144 crops are 48 pictures.
    """

    pictures: NDArray[np.uint8]
    place: NDArray[np.int64]


def views(image: Image.Image, crops: Sequence[Crop], preprocessing: Preprocessing) -> Views:
    """Cuts the crops out of a photo, before normalisation; crops that show the same are cut once.

    A photo that is smaller than a crop is enlarged, as every photo whose shorter side is below its scale.
    """
    image, side = image.convert("RGB"), preprocessing.size
    squares: dict[tuple[int, PixelBox], Image.Image] = {}
    places: dict[tuple[int, PixelBox, bool], int] = {}
    pictures: list[NDArray[np.uint8]] = []
    order = []
    for crop in crops:
        square, box = square_box(crop, image.size, side), crop_box(crop, image.size, side)
        key = crop.scale, box, crop.mirrored
        if key not in places:
            if (crop.scale, square) not in squares:
                squares[crop.scale, square] = _square(image, crop, square, preprocessing)
            cut = squares[crop.scale, square]
            if crop.place == "whole":
                cut = cut.resize((side, side), preprocessing.filter)
            else:
                left, top = box[0] - square[0], box[1] - square[1]
                cut = cut.crop((left, top, left + side, top + side))
            pixels = np.asarray(cut)
            places[key] = len(pictures)
            pictures.append(pixels[:, ::-1] if crop.mirrored else pixels)
        order.append(places[key])
    return Views(np.stack(pictures), np.array(order))


def _square(image: Image.Image, crop: Crop, square: PixelBox, preprocessing: Preprocessing) -> Image.Image:
    """One square of the resized photo: as torchvision cuts it, to the bit. Of a long strip only the square is made,
    equal but for rounding: 20,000 x 1 pixels have no resized whole."""
    whole = resized(image.size, crop.scale, preprocessing.size)
    if max(whole) <= LONGEST * min(whole):
        return image.resize(whole, preprocessing.filter).crop(square)
    part = _on_photo(square, crop, image.size, preprocessing.size)
    short = square[2] - square[0]
    return image.resize((short, short), preprocessing.filter, box=(part.left, part.top, part.right, part.bottom))


def enlarged_by(size: Size, side: int = DEFAULT_SIZE) -> float:
    """How many times the largest scale enlarges a photo of that (width, height); 1 where it only shrinks it."""
    return max(1.0, max(scaled(scale, side) for scale in SCALES) / min(size))
