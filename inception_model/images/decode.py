"""Untrusted image bytes -> a photo: upright sRGB pixels, or one clear sentence."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from .directories import check_directory
from .geometry import Box, read_square, square_text
from .headers import Header, read_header
from .limits import FORMATS, MAX_BYTES, MAX_MEMORY, MAX_PIXELS, SMALLER, FormatError, ImageError, check_size
from .shrinking import fitted, upright

__all__ = [
    "FORMATS", "MAX_BYTES", "MAX_PIXELS", "WORKING_SIDE", "FormatError", "ImageError", "Photo", "check_bytes",
    "open_photo", "read_photo",
]  # fmt: skip

WORKING_SIDE = 2048
"""Larger photos are shrunk to this longer side on decoding: more is never shown nor fed to the network."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo: RGB pixels, the hash of the bytes it came from, and its name.

    `stored`: width and height as the file has them (None: as here); `orientation`: EXIF's, which has been applied.
    `square`: the part that the network is shown, in pixels of `image`; None: the usual one (`Preprocessing.view`).
    """

    image: Image.Image
    sha256: str
    name: str
    stored: tuple[int, int] | None = None
    orientation: int = 1
    square: Box | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    @property
    def key(self) -> str:
        """What answers about the photo are remembered by: its hash, and its square where it has one of its own."""
        return self.sha256 if self.square is None else f"{self.sha256} {square_text(self.square)}"

    def with_square(self, text: str | None) -> Photo:
        """The same photo with a square of its own, `X,Y,SIDE`, or with None the usual one; ValueError where that is
        none or lies outside."""
        return replace(self, square=None if text is None else read_square(text, self.size))

    def square_on(self, size: tuple[int, int]) -> Box | None:
        """Its own square in pixels of a smaller (or larger) picture of it."""
        width, height = self.size
        return None if self.square is None else self.square.scaled(size[0] / width, size[1] / height)

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


def check_bytes(
    data: bytes, name: str = "image", *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Header:
    """Everything that is refused without decoding: `limits` has the numbers. Raises ImageError."""
    if not data:
        raise ImageError(f"{name} is empty (0 bytes): choose a photo file.")
    if len(data) > max_bytes:
        raise ImageError(f"{name} has {len(data) / 2**20:.1f} MB; the limit is {max_bytes / 2**20:.0f} MB: {SMALLER}.")
    if b"<svg" in data[:1024].lower():
        raise FormatError(f"{name} is an SVG drawing; the network needs pixels: export it as PNG and try again.")
    return read_header(data, name, max_pixels)


def read_photo(data: bytes, name: str = "image", *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Photo:
    """Decodes untrusted bytes to upright sRGB; raises ImageError with one clear sentence.

    What would cost too much is refused before decoding; what is decoded takes at most about `MAX_MEMORY`. Animations
    give their first frame, transparency is put on white, 16-bit greys are scaled, EXIF orientation and colour profile
    are applied. There is no time limit: `decoder_pool` has one.
    """
    header = check_bytes(data, name, max_bytes=max_bytes, max_pixels=max_pixels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=(header.format,)) as source:
                stored = source.size
                check_size(stored, header.format, name, max_pixels)
                _draft(source, header)
                source.load()
                orientation = _orientation(source, name)
                image = upright(source, WORKING_SIDE, orientation)
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} declares hundreds of millions of pixels; the limit is {max_pixels / 1e6:.0f} million pixels: "
            f"{SMALLER}."
        ) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image that can be read here (allowed: {', '.join(FORMATS)}).") from None
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name} takes more memory to decode than there is: {SMALLER}.") from None
    except Exception as error:  # decoders raise many types on damaged files
        raise ImageError(f"{name} is damaged or cut short and can't be decoded ({error}).") from None
    return Photo(image, hashlib.sha256(data).hexdigest(), name, stored, orientation)


def _draft(source: Image.Image, header: Header) -> None:
    """Lets a JPEG be decoded at a half, a quarter or an eighth of its size where more is left than is kept."""
    width, height = fitted(source.size, WORKING_SIDE)
    if header.coefficients + 4 * source.width * source.height <= MAX_MEMORY * 5 // 6:
        # Twice the length of a panorama's short side still leaves Lanczos enough pixels.
        width, height = min(2 * width, WORKING_SIDE), min(2 * height, WORKING_SIDE)
    source.draft("RGB", (width, height))


def _orientation(source: Image.Image, name: str) -> int:
    """EXIF's orientation, 1 to 8."""
    exif = source.info.get("exif")
    if exif is None and "Raw profile type exif" in source.info:  # as ImageMagick writes it into PNG: hexadecimal text
        exif = bytes.fromhex("".join(source.info["Raw profile type exif"].split("\n")[3:]))
    if isinstance(exif, bytes):
        check_directory(exif, name)
    found = source.getexif().get(ExifTags.Base.Orientation, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def open_photo(path: Path) -> Photo:
    """`read_photo` of a file; a missing or unreadable file is an ImageError too."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} can't be read: {error.strerror or error}.") from None
    return read_photo(data, path.name)
