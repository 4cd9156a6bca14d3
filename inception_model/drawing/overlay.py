"""Arrays to pictures: colour maps, maps laid over the photo, boxes, contours, colour bars. Numpy and Pillow only.

Activations (never negative) are drawn on magma from zero; signed values in red and blue that are as opaque as they are
strong, with a line around the strongest of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.filters import gaussian
from skimage.measure import find_contours

from ..images.geometry import Box
from ..images.preprocessing import Preprocessing
from .colormaps import TABLES, Values, full_scale, indices, layer


@dataclass(frozen=True)
class Grid:
    """Where the units of a map look: unit i's centre is pixel `start + i * jump` of a square of `side` pixels."""

    start: float
    jump: float
    side: int

    @classmethod
    def stretched(cls, units: int, side: int) -> Grid:
        """The map spread evenly over the square, as class activation maps are usually drawn."""
        jump = side / units
        return cls(jump / 2 - 0.5, jump, side)

    def centre(self, unit: float) -> float:
        """A unit's centre in pixels of the square (0-based)."""
        return self.start + unit * self.jump


def _sampling(positions: NDArray[np.floating], units: int, smooth: bool) -> Values:
    """(P,) positions counted in units -> (P, units) weights that read a map there; the border is continued."""
    at = np.clip(positions, 0, units - 1)
    low = np.floor(at).astype(int) if smooth else np.rint(at).astype(int)
    part = (at - low if smooth else np.zeros_like(at)).astype(np.float32)
    weights = np.zeros((len(at), units), np.float32)
    rows = np.arange(len(at))
    weights[rows, low] = 1 - part
    weights[rows, np.minimum(low + 1, units - 1)] += part
    return weights


def map_on_view(
    heatmap: NDArray[np.floating], shape: tuple[int, int], grid: Grid | None = None, *, smooth: bool = True
) -> Values:
    """A map (H, W) of the network's square -> (rows, columns) values at the pixels of that square on the photo.

    `shape` is (rows, columns). Bilinear between unit centres, or nearest with `smooth=False`. Without a grid the map
    is spread evenly.
    """
    weights = []
    for pixels, units in zip(shape, heatmap.shape, strict=True):
        place = grid or Grid.stretched(units, 224)
        square = (np.arange(pixels) + 0.5) * place.side / pixels - 0.5
        weights.append(_sampling((square - place.start) / place.jump, units, smooth))
    return np.asarray(weights[0] @ np.asarray(heatmap, np.float32) @ weights[1].T, np.float32)


def covered_pixels(view: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that a rectangle covers on a photo of that (width, height): one at least,
    for on a photo that is a pixel or two thin it may be less than that."""
    inside = view.clipped(size)
    left, top = (min(round(edge), length - 1) for edge, length in zip((inside.left, inside.top), size, strict=True))
    return left, top, max(left + 1, round(inside.right)), max(top + 1, round(inside.bottom))


def overlay_on_photo(
    photo: Image.Image,
    heatmap: NDArray[np.floating],
    view: Box,
    *,
    scale: float | None = None,
    alpha: float = 0.6,
    smooth: bool = True,
    grid: Grid | None = None,
) -> Image.Image:
    """The photo with activations (H, W) of the network's square laid over the part that the network saw.

    `view` is that part in the photo's pixels (`Preprocessing.view`); the rest keeps its own colours and the photo its
    proportions. `scale` is where the colours end, in the map's units (default: its largest magnitude). `alpha` is the
    share of the map's colour: constant, so that a colour can be read against the colour bar.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; allowed: 0 (the photo alone) to 1 (the map alone)")
    left, top, right, bottom = covered_pixels(view, photo.size)
    values = map_on_view(heatmap, (bottom - top, right - left), grid, smooth=smooth)
    colours = TABLES["magma"][indices(values, full_scale(heatmap) if scale is None else scale)]
    result = photo.convert("RGB")
    below = result.crop((left, top, right, bottom))
    result.paste(Image.blend(below, Image.fromarray(colours), alpha), (left, top))
    return result


def fitted(photo: Image.Image, side: int = 640) -> Image.Image:
    """The photo in its own proportions with at most `side` pixels on the longer side; never enlarged."""
    factor = min(1.0, side / max(photo.size))
    if factor == 1.0:
        return photo.convert("RGB")
    width, height = (max(1, round(edge * factor)) for edge in photo.size)
    return photo.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def draw_box(image: Image.Image, box: Box, *, colour: str = "#ffffff", width: int = 2, dashed: bool = False) -> None:
    """Draws a rectangle on the image, in place, with a dark edge beside the line so that it shows on any photo.

    One that is thinner than a pixel is drawn as a line.
    """
    box = Box(box.left, box.top, max(box.left, box.right), max(box.top, box.bottom))
    if not dashed:
        halo = (box.left - 1, box.top - 1, box.right + 1, box.bottom + 1)
        ImageDraw.Draw(image, "RGBA").rectangle(halo, outline=(0, 0, 0, 130), width=width + 2)
        ImageDraw.Draw(image).rectangle((box.left, box.top, box.right, box.bottom), outline=colour, width=width)
        return
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    draw = ImageDraw.Draw(image, "RGBA")
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        _dashes(draw, start, end, colour, width)


def _dashes(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], colour: str, width: int
) -> None:
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    for at in np.arange(0, length, 10.0):
        first, last = at / length, min(1.0, (at + 6) / length)
        points = [tuple(a + (b - a) * t for a, b in zip(start, end, strict=True)) for t in (first, last)]
        draw.line(points, fill=(0, 0, 0, 130), width=width + 2)
        draw.line(points, fill=colour, width=width)


def map_on_photo(
    photo: Image.Image,
    heatmap: NDArray[np.floating],
    preprocessing: Preprocessing,
    *,
    scale: float,
    side: int = 640,
    square: Box | None = None,
) -> Image.Image:
    """The photo of at most `side` pixels with a signed map (H, W) on the part that the network saw, a line around the
    strongest of it (`strongest`), and the part's frame.

    `square`: that part where it was chosen, in pixels of the photo as it is given (`Photo.square`). `scale` is where
    the map is as opaque as it gets (STRENGTH); zero leaves the photo as it is.
    """
    image = fitted(photo, side)
    shrunk = (image.width / photo.width, image.height / photo.height)
    seen = preprocessing.view(image.size, None if square is None else square.scaled(*shrunk))
    lay_over(image, heatmap, seen, scale)
    for line in strongest(heatmap):
        _line(image, seen.left + line[:, 0] * seen.width, seen.top + line[:, 1] * seen.height)
    frame_view(image, seen)
    return image


def lay_over(image: Image.Image, heatmap: NDArray[np.floating], view: Box, scale: float) -> None:
    """Lays a signed map (H, W) over a rectangle of the image, in place, at most STRENGTH opaque."""
    left, top, right, bottom = covered_pixels(view, image.size)
    colours = layer(map_on_view(heatmap, (bottom - top, right - left)), scale)
    colours[..., 3] = (colours[..., 3] * STRENGTH).round()
    image.paste(Image.fromarray(colours[..., :3]), (left, top), Image.fromarray(colours[..., 3]))


STRENGTH = 0.85
"""Opacity of the largest value of a signed map on a photo; the photo's edges must stay to be seen."""
STRONGEST = 0.2
"""Share of the network's square that the line on a signed map goes round."""
_FINE, _SPREAD, _SPECK = 64, 0.02, 0.002


def strongest(heatmap: NDArray[np.floating], share: float = STRONGEST) -> list[NDArray[np.floating]]:
    """Closed lines, each (points, 2) as x and y from 0 to 1, around the `share` of the square whose values are largest.

    By magnitude: what speaks for and what speaks against alike. Maps of single pixels are smoothed before (Gaussian, 2%
    of the side), or every pixel would have a line of its own; specks below 0.2% of the square have none. A map that is
    the same everywhere has no strongest part.
    """
    values = np.abs(np.asarray(heatmap, np.float64))
    fine = min(values.shape) >= _FINE
    drawn = gaussian(values, _SPREAD * len(values)) if fine else map_on_view(values, (224, 224))  # type: ignore[no-untyped-call]
    values = np.asarray(drawn, np.float64)
    level = float(np.quantile(values, 1 - share))
    if not level < values.max():
        return []
    rows, columns = values.shape
    padded = np.pad(values, 1, constant_values=min(float(values.min()), level) - 1e-9)
    lines = find_contours(padded, level)  # type: ignore[no-untyped-call]
    scaled = [np.stack([(line[:, 1] - 0.5) / columns, (line[:, 0] - 0.5) / rows], axis=1) for line in lines]
    return [line for line in scaled if _area(line) >= _SPECK]


def _area(line: NDArray[np.floating]) -> float:
    """Of a closed line (points, 2), by the shoelace formula."""
    x, y = line[:, 0], line[:, 1]
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def _line(
    image: Image.Image, x: NDArray[np.floating], y: NDArray[np.floating], colour: str = "#ffffff", width: int = 2
) -> None:
    """A line with a dark edge, in place."""
    draw, points = ImageDraw.Draw(image, "RGBA"), list(zip(x.tolist(), y.tolist(), strict=True))
    draw.line(points, fill=(0, 0, 0, 130), width=width + 2, joint="curve")
    draw.line(points, fill=colour, width=width, joint="curve")


def frame_view(image: Image.Image, view: Box, *, width: int = 1) -> None:
    """Draws what the network sees as a frame on the image, in place; nothing where that is all of it."""
    inside = view.clipped(image.size)
    if inside.width < image.width - 2 or inside.height < image.height - 2:
        draw_box(image, Box(inside.left, inside.top, inside.right - 1, inside.bottom - 1), width=width)


def draw_contour(
    image: Image.Image,
    values: NDArray[np.floating],
    level: float,
    view: Box,
    *,
    colour: str = "#ffffff",
    width: int = 2,
) -> int:
    """Draws the line around all values (H, W) above `level`, in place, and returns the number of closed parts.

    The values cover the network's square, which lies at `view` on the image.
    """
    padded = np.pad(np.asarray(values, np.float64), 1, constant_values=min(float(values.min()), level) - 1e-9)
    rows, columns = values.shape
    lines = find_contours(padded, level)  # type: ignore[no-untyped-call]
    for line in lines:
        x = view.left + (line[:, 1] - 0.5) / columns * view.width
        y = view.top + (line[:, 0] - 0.5) / rows * view.height
        _line(image, x, y, colour, width)
    return len(lines)


def draw_cross(image: Image.Image, x: float, y: float, *, arm: int = 7) -> None:
    """Marks one position of the image with a small cross, in place."""
    draw = ImageDraw.Draw(image, "RGBA")
    for colour, width in (((0, 0, 0, 160), 4), ((255, 255, 255, 255), 2)):
        draw.line([(x - arm, y), (x + arm, y)], fill=colour, width=width)
        draw.line([(x, y - arm), (x, y + arm)], fill=colour, width=width)


def unit_on_photo(
    preprocessing: Preprocessing, size: tuple[int, int], grid: Grid, row: int, column: int, square: Box | None = None
) -> Box:
    """The cell of a map's unit on a photo of that (width, height): `jump` pixels around its centre, inside the view."""
    half = grid.jump / 2
    centre_x, centre_y = grid.centre(column) + 0.5, grid.centre(row) + 0.5
    cell = Box(centre_x - half, centre_y - half, centre_x + half, centre_y + half).clipped((grid.side, grid.side))
    return preprocessing.box_to_photo(size, cell, square)
