"""What a photo file may cost: one number per kind of cost, and the sentences of its refusal."""

from __future__ import annotations

from PIL import features

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_SIDE = 20_000
"""Pixels: a panorama of 20,000 x 2,000 still passes."""
MAX_SCANS = 100
"""Of a JPEG: each one passes over the whole photo, however few bytes it has. Encoders write about ten."""
MAX_METADATA = 8 * 2**20
"""Bytes of Exif, colour profile and texts together, unpacked."""
MAX_TEXT = 2**20
"""Bytes of one compressed text or profile once unpacked: Pillow's own `MAX_TEXT_CHUNK`; and of a GIF's comments."""
MAX_BLOCKS = 50_000
"""Blocks (segments, chunks, extensions) that are passed over on the way to the pixels."""
MAX_TAGS = 2_000
"""Entries of one Exif or TIFF directory."""
MAX_MEMORY = 300 * 2**20
"""Bytes that decoding may take above the file's own."""
PIXELS_AT_ONCE = {"WEBP": 15_000_000, "AVIF": 16_000_000}
"""Formats whose decoders give a photo only as a whole, through buffers of their own: measured with Pillow 13, 16.7 to
18.5 bytes per pixel for WebP, 10 to 14.1 for AVIF of 8 bits."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *(("AVIF",) if features.check("avif") else ()))

SMALLER = "save a smaller copy and try again"
BARE = "save a copy without metadata and try again"
AGAIN = "open it in a photo program, save it as an ordinary JPEG and try again"


class ImageError(ValueError):
    """The bytes are no usable image; the message is one sentence for the user."""


class FormatError(ImageError):
    """They are nothing that is read here at all, by their beginning."""


def check_size(size: tuple[int, int], kind: str, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Sides, area, and the memory of decoders that hold whole photos; raises ImageError."""
    width, height = size
    found = f"{name} has {width} x {height} = {width * height / 1e6:.0f} million pixels"
    if width * height > max_pixels:
        raise ImageError(f"{found}; the limit is {max_pixels / 1e6:.0f} million: {SMALLER}.")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{name} has {width} x {height} pixels; a side may have {MAX_SIDE}: {SMALLER}.")
    most = PIXELS_AT_ONCE.get(kind, max_pixels)
    if width * height > most:
        raise ImageError(
            f"{found}; the limit for {kind} is {most / 1e6:.0f} million, because it can only be unpacked as a whole: "
            "save it as JPEG, or smaller, and try again."
        )


class Metadata:
    """Adds up what lies around the pixels, and refuses what is too much."""

    def __init__(self, name: str) -> None:
        self.name, self.bytes, self.blocks = name, 0, 0

    def block(self) -> None:
        self.blocks += 1
        if self.blocks > MAX_BLOCKS:
            raise ImageError(f"{self.name} consists of more than {MAX_BLOCKS} blocks, which no photo needs; {AGAIN}.")

    def add(self, size: int) -> None:
        self.bytes += size
        if self.bytes > MAX_METADATA:
            raise ImageError(
                f"{self.name} has more than {MAX_METADATA / 2**20:.0f} MB of metadata (texts, colour profile, Exif): "
                f"{BARE}."
            )
