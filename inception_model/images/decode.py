"""Untrusted image bytes -> a photo: upright sRGB pixels, or one clear sentence."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from .geometry import Box

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000
WORKING_SIDE = 2048
"""Larger photos are shrunk to this longer side on decoding: more is never shown nor fed to the network."""


class ImageError(ValueError):
    """The bytes are no usable image; the message is one sentence for the user."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo: RGB pixels, the hash of the bytes it came from, and its name.

    `stored`: width and height as the file has them (None: as here); `orientation`: EXIF's, which has been applied.
    """

    image: Image.Image
    sha256: str
    name: str
    stored: tuple[int, int] | None = None
    orientation: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    def upright(self, box: Box) -> Box:
        """A rectangle in the pixels that the file stores -> on this photo, which may be turned, mirrored or smaller."""
        width, height = self.stored or self.size
        x0, x1, y0, y1 = box.left / width, box.right / width, box.top / height, box.bottom / height
        if self.orientation in (2, 3, 7, 8):  # EXIF 2.32, tag 274: the first column is the right side, or the bottom
            x0, x1 = 1 - x1, 1 - x0
        if self.orientation in (3, 4, 6, 7):  # the first row is the bottom, or the right side
            y0, y1 = 1 - y1, 1 - y0
        if self.orientation >= 5:
            x0, x1, y0, y1 = y0, y1, x0, x1
        here_wide, here_high = self.size
        return Box(x0 * here_wide, y0 * here_high, x1 * here_wide, y1 * here_high)


def read_photo(data: bytes, name: str = "image", *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Photo:
    """Decodes untrusted bytes to upright sRGB; raises ImageError with one clear sentence.

    Byte length and pixel count are checked before decoding. Animations give their first frame, transparency is put
    on white, 16-bit greys are scaled, EXIF orientation and colour profile are applied.
    """
    if not data:
        raise ImageError(f"{name} is empty (0 bytes): choose a photo file.")
    if len(data) > max_bytes:
        raise ImageError(
            f"{name} has {len(data) / 2**20:.1f} MB; the limit is {max_bytes / 2**20:.0f} MB: "
            "save a smaller copy and try again."
        )
    if b"<svg" in data[:1024].lower():
        raise ImageError(f"{name} is an SVG drawing; the network needs pixels: export it as PNG and try again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as source:
                width, height = source.size
                if width * height > max_pixels:
                    raise ImageError(
                        f"{name} has {width} x {height} = {width * height / 1e6:.0f} million pixels; the limit is "
                        f"{max_pixels / 1e6:.0f} million: save a smaller copy and try again."
                    )
                orientation = int(source.getexif().get(ExifTags.Base.Orientation, 1))
                source.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
                source.load()
                image = _to_srgb(source)
    except Image.DecompressionBombError:
        raise ImageError(_too_large(f"{name} declares hundreds of millions of pixels", max_pixels)) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image that can be read here (allowed: {', '.join(FORMATS)}).") from None
    except ImageError:
        raise
    except Exception as error:  # decoders raise many types on damaged files
        raise ImageError(f"{name} is damaged or cut short and can't be decoded ({error}).") from None
    image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.LANCZOS)
    turn = orientation if 1 <= orientation <= 8 else 1
    return Photo(image, hashlib.sha256(data).hexdigest(), name, (width, height), turn)


def _too_large(found: str, max_pixels: int) -> str:
    return f"{found}; the limit is {max_pixels / 1e6:.0f} million pixels: save a smaller copy and try again."


def open_photo(path: Path) -> Photo:
    """`read_photo` of a file; a missing or unreadable file is an ImageError too."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} can't be read: {error.strerror or error}.") from None
    return read_photo(data, path.name)


def _to_srgb(source: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(source)
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        values = np.asarray(image).astype(np.float64)
        # 16 bits go to 65535, however dark the picture; wider integers and floats say their range by their maximum.
        top = max(float(values.max()), 1.0 if image.mode == "F" else 65535.0)
        image = Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8), "L")
    alpha: Image.Image | None = None
    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        transparent = image.mode != "P" or "transparency" in image.info
        image = image.convert("RGBA")
        alpha = image.getchannel("A") if transparent else None
        image = image.convert("RGB")
    profile = source.info.get("icc_profile")
    if profile and image.mode in ("RGB", "L", "CMYK"):
        image = _from_profile(image, profile)
    image = image.convert("RGB")
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, (255, 255, 255)), alpha)
    return image


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours of a profile -> sRGB; as they are where the profile is broken, which is no reason to refuse a photo."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    return image if converted is None else converted
