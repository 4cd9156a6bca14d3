"""A decoded picture of any mode -> upright sRGB of at most so many pixels, in bands of rows.

Colours are converted band by band, so that no second picture of full size is ever held.
"""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageCms

REDUCING_GAP = 2.0
"""As `Image.thumbnail`: whole-number averages first, at least twice as many pixels left for Lanczos."""
BAND_PIXELS = 1_500_000
_LANCZOS_RADIUS = 3
_DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.32, tag 274."""


def upright(source: Image.Image, side: int, orientation: int) -> Image.Image:
    """A loaded picture as sRGB, its longer side at most `side`, turned by EXIF's orientation.

    Shrunk as `Image.thumbnail` by Lanczos; to the bit as it is where it is small enough.
    """
    flat = _Colours(source)
    if max(source.size) <= side:
        image = flat(source)
    elif orientation >= 5:  # the size is rounded as that of the turned picture
        image = _shrunk(source, fitted((source.height, source.width), side)[::-1], flat)
    else:
        image = _shrunk(source, fitted(source.size, side), flat)
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size with its longer side shrunk to `side`, rounded to the nearest aspect, as `Image.thumbnail` does."""
    width, height = size
    if max(size) <= side:
        return size
    aspect = width / height
    if aspect <= 1:
        exact = side * aspect
        near = min(math.floor(exact), math.ceil(exact), key=lambda n: abs(aspect - n / side))
        return max(near, 1), side
    exact = side / aspect
    near = min(math.floor(exact), math.ceil(exact), key=lambda n: 0 if n == 0 else abs(aspect - side / n))
    return side, max(near, 1)


def _rows(image: Image.Image, top: int, bottom: int) -> Image.Image:
    return image.crop((0, top, image.width, bottom))


def _shrunk(source: Image.Image, size: tuple[int, int], flat: _Colours) -> Image.Image:
    """Bands of the result, each from the rows that its Lanczos filter reaches."""
    (width, height), (wide, high) = source.size, size
    across, down = width / wide, height / high
    step_x, step_y = int(across / REDUCING_GAP) or 1, int(down / REDUCING_GAP) or 1
    reach = _LANCZOS_RADIUS * max(down, 1.0) + 2 * step_y
    rows = max(1, int(BAND_PIXELS / width / down))
    result = Image.new("RGB", size)
    for top in range(0, high, rows):
        bottom = min(top + rows, high)
        # Bands begin at whole steps, so that the same pixels are averaged as in the whole picture.
        start = max(0, int(top * down - reach)) // step_y * step_y
        end = min(height, (int(bottom * down + reach) // step_y + 1) * step_y)
        band = flat(_rows(source, start, end))
        if (step_x, step_y) != (1, 1):
            band = band.reduce((step_x, step_y))
        box = (0, (top * down - start) / step_y, width / step_x, (min(bottom * down, height) - start) / step_y)
        result.paste(band.resize((wide, bottom - top), Image.Resampling.LANCZOS, box), (0, top))
    return result


class _Colours:
    """Any mode -> RGB: deep greys scaled, the file's profile applied, transparency on white. For parts of `source`."""

    def __init__(self, source: Image.Image) -> None:
        self._top = 1.0
        if source.mode in _DEEP:
            # 16 bits go to 65535, however dark the picture; wider integers and floats say their range by their maximum.
            step = max(1, BAND_PIXELS // source.width)
            parts = (_rows(source, top, min(top + step, source.height)) for top in range(0, source.height, step))
            self._top = max(
                max(float(np.asarray(part).max()) for part in parts), 1.0 if source.mode == "F" else 65535.0
            )
        self._profile: bytes | None = source.info.get("icc_profile")
        self._transforms: dict[str, ImageCms.ImageCmsTransform | None] = {}

    def __call__(self, image: Image.Image) -> Image.Image:
        if image.mode in _DEEP:
            values = np.asarray(image).astype(np.float64)
            values /= self._top
            np.clip(values, 0, 1, out=values)
            values *= 255
            image = Image.fromarray(values.astype(np.uint8), "L")
        alpha: Image.Image | None = None
        if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
            transparent = image.mode != "P" or "transparency" in image.info
            image = image.convert("RGBA")
            alpha = image.getchannel("A") if transparent else None
            image = image.convert("RGB")
        if self._profile and image.mode in ("RGB", "L", "CMYK"):
            image = self._from_profile(image, self._profile)
        image = image.convert("RGB")
        if alpha is not None:
            image = Image.composite(image, Image.new("RGB", image.size, (255, 255, 255)), alpha)
        return image

    def _from_profile(self, image: Image.Image, profile: bytes) -> Image.Image:
        """Colours of a profile -> sRGB; as they are where the profile is broken: no reason to refuse a photo."""
        try:
            if image.mode not in self._transforms:
                self._transforms[image.mode] = None
                source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
                self._transforms[image.mode] = ImageCms.buildTransform(
                    source, ImageCms.createProfile("sRGB"), image.mode, "RGB"
                )
            transform = self._transforms[image.mode]
            return image if transform is None else ImageCms.applyTransform(image, transform) or image
        except (ImageCms.PyCMSError, OSError):
            return image
