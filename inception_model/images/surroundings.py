"""The network's square together with what lies around it on the photo, so that it can be moved and turned there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .geometry import Box
from .preprocessing import Preprocessing


@dataclass(frozen=True)
class Surroundings:
    """A canvas twice as wide and high as the network's square, which lies in its middle, pixel by pixel as it is.

    What is beyond the photo's edges is the photo mirrored there.
    """

    canvas: Image.Image
    side: int

    @property
    def margin(self) -> int:
        """Pixels of the network's input on every side of the square."""
        return self.side // 2

    def moved(self, right: float = 0, turn: float = 0) -> Image.Image:
        """The square (side x side, RGB) after it went so many of its pixels to the right and was turned about its
        middle by so many degrees: the picture in it goes to the left and turns counter-clockwise."""
        left = self.margin + round(right)
        canvas = self.canvas
        if turn:
            middle = (left + self.side / 2, self.margin + self.side / 2)
            canvas = canvas.rotate(turn, Image.Resampling.BILINEAR, center=middle)
        return canvas.crop((left, self.margin, left + self.side, self.margin + self.side))


def surroundings(image: Image.Image, preprocessing: Preprocessing, square: Box | None = None) -> Surroundings:
    """Of a photo's centre view, or of the square that was chosen on it."""
    side = preprocessing.size
    margin, view = side // 2, preprocessing.view(image.size, square).clipped(image.size)
    width, height = image.size
    x, y = view.width / side, view.height / side
    # Whole pixels of the network's input that the photo has beyond each edge of the square.
    left, right = (min(margin, int(room / x)) for room in (view.left, width - view.right))
    top, bottom = (min(margin, int(room / y)) for room in (view.top, height - view.bottom))
    seen = Box(view.left - left * x, view.top - top * y, view.right + right * x, view.bottom + bottom * y)
    seen = seen.clipped(image.size)
    around = image.convert("RGB").resize(
        (left + side + right, top + side + bottom),
        preprocessing.filter,
        box=(seen.left, seen.top, seen.right, seen.bottom),
    )
    around.paste(preprocessing.crop(image, square).convert("RGB"), (left, top))
    missing = ((margin - top, margin - bottom), (margin - left, margin - right), (0, 0))
    return Surroundings(Image.fromarray(np.pad(np.asarray(around), missing, mode="symmetric")), side)
