"""The part of a photo that a position sees, as a small picture."""

from __future__ import annotations

from PIL import Image

from ..images.geometry import Box
from .overlay import draw_cross

SIDE = 96
"""Pixels of a crop's longer side as it is drawn."""
OFF = 0.02
"""Share of the longer side by which a position may lie beside the crop's centre without a cross."""


def crop_of(photo: Image.Image, box: Box, spot: tuple[float, float], side: int = SIDE) -> Image.Image:
    """The box of a photo, its longer side `side` pixels; a cross at the spot where the box does not lie around it,
    because an edge has cut it."""
    seen = box.clipped(photo.size)
    longer = max(seen.width, seen.height, 1.0)
    size = max(1, round(seen.width / longer * side)), max(1, round(seen.height / longer * side))
    left, top = min(seen.left, photo.width - 1.0), min(seen.top, photo.height - 1.0)
    corners = (left, top, max(seen.right, left + 1), max(seen.bottom, top + 1))
    picture = photo.resize(size, Image.Resampling.BICUBIC, corners, reducing_gap=3.0)
    x, y = spot[0] - left, spot[1] - top
    if max(abs(x - seen.width / 2), abs(y - seen.height / 2)) > OFF * longer:
        draw_cross(picture, x / longer * side, y / longer * side, arm=5)
    return picture
