"""Hostile files, made by code: small in bytes, expensive to decode."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

MB = 2**20


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    """The image as a file of that format."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def smooth(width: int, height: int) -> Image.Image:
    """A picture with a gradient both ways."""
    across = np.linspace(0, 255, width, dtype=np.uint8)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([across, down, np.full_like(across, 90)], axis=2))


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan (with its tables) is repeated until there are so many."""
    data = encoded(smooth(width, height), "JPEG", progressive=True)
    own = data.count(b"\xff\xda")
    end = data.rindex(b"\xff\xd9")
    last = data.rindex(b"\xff\xda")
    return data[:end] + data[last:end] * (scans - own) + data[end:]


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, chunks: bytes = b"") -> bytes:
    """A black PNG of zeros: a few kilobytes for many millions of pixels. Colour types: 0 grey, 2 RGB, 6 RGBA."""
    row = 1 + width * {0: 1, 2: 3, 6: 4}[colour] * depth // 8
    packed = packed_zeros(row * height)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def packed_zeros(count: int) -> bytes:
    """As zlib packs so many zeros, without packing more than a few of them: a piece that repeats, then what is left."""
    pieces, left = divmod(count, MB)

    def piece(size: int) -> bytes:
        packer = zlib.compressobj(9, wbits=-15)
        return packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)

    # Adler-32 of zeros: its lower sum stays 1, its upper one counts them. The end is an empty last block.
    return b"\x78\xda" + piece(MB) * pieces + piece(left) + b"\x03\x00" + struct.pack(">I", count % 65521 << 16 | 1)


def text_bomb(unpacked: int, count: int = 1) -> bytes:
    """Compressed text chunks that unpack to so many bytes each."""
    return chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(unpacked), 9)) * count


def directory_bomb(entries: int, size: int) -> bytes:
    """Exif data whose entries all name the same bytes: each reader's copy of them multiplies."""
    start = 8 + 2 + 12 * entries + 4
    tags = b"".join(struct.pack("<HHII", 40000 + number, 7, size, start) for number in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + tags + bytes(4) + bytes(size)


def segment(marker: int, body: bytes) -> bytes:
    """One segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def behind_start(jpeg: bytes, *segments: bytes) -> bytes:
    """The JPEG with more segments in front."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def animation(format_: str, frames: int) -> bytes:
    """An animation of so many pictures, red first."""
    colours = [Image.new("RGB", (16, 16), (255 - number % 200, number % 256, 0)) for number in range(frames)]
    options = {"quality": 1, "method": 0} if format_ == "WEBP" else {}
    return encoded(colours[0], format_, save_all=True, append_images=colours[1:], duration=10, **options)


def slow_bmp(width: int, height: int) -> bytes:
    """A BMP of runs of one pixel, which Pillow unpacks one by one in Python: seconds for each ten megabytes."""
    packed = (b"\1\7" * width + b"\0\0") * height + b"\0\1"
    start = 14 + 40 + 1024
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(packed), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(packed), 0, 0, start) + about + bytes(1024) + packed
