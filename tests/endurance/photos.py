"""Odd and hostile photos, made by code: what an encoder may write, and files that lie, break off or cost too much."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import ExifTags, Image, ImageCms, features

from inception_model.images.limits import MAX_SCANS
from tests.images import crafted
from tests.images.crafted import behind_start, chunk, encoded, png, segment, smooth

MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "I;16", "I", "F", "P", "RGB", "RGBA", "CMYK"),
    **({"AVIF": ("RGB", "RGBA")} if features.check("avif") else {}),
}
SIZES = ((1, 1), (1, 300), (300, 1), (7, 5), (64, 48), (225, 223))
CUTS = (1, 4, 12, 25, 50, 75, 90, 97)
"""Per cent of a file that are there."""


@dataclass(frozen=True)
class Odd:
    """A file. `size`: that of the upright photo which it has to give; None: it has to be refused; (): either."""

    data: bytes
    size: tuple[int, int] | tuple[()] | None


@cache
def corpus() -> dict[str, Odd]:
    """By name; more than 500."""
    return dict((*_ordinary(), *_saved_otherwise(), *_turned(), *_cut(), *_lying(), *_costly(), *_strangers()))


def picture(mode: str, size: tuple[int, int]) -> Image.Image:
    """Colours with some noise, in any of Pillow's modes."""
    width, height = size
    noise = np.random.default_rng(width * 1000 + height).integers(0, 40, (height, width, 3))
    image = Image.fromarray((np.asarray(smooth(width, height)).astype(int) * 4 // 5 + noise).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "P":
        return image.quantize(16)
    return image.convert("L").convert(mode) if mode in ("LA", "I", "F", "1") else image.convert(mode)


def _ordinary() -> Iterator[tuple[str, Odd]]:
    for format_, modes in MODES.items():
        for mode in modes:
            for size in SIZES:
                yield f"{format_} {mode} {size[0]}x{size[1]}", Odd(encoded(picture(mode, size), format_), size)


def _saved_otherwise() -> Iterator[tuple[str, Odd]]:
    size = (64, 48)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, dict[str, tuple[object, ...]]] = {
        "JPEG": {
            "progressive": (True,), "quality": (1, 50, 100), "subsampling": (0, 1, 2), "optimize": (True,),
            "restart_marker_blocks": (1, 3), "dpi": ((0, 0), (65535, 1)), "comment": (b"x" * 60_000, b"\xff\xd9"),
            "icc_profile": (profile, profile[:100], b"", b"no profile at all", profile * 30),
        },
        "PNG": {
            "compress_level": (0, 9), "bits": (1, 2, 4), "gamma": (0.0001, 99.0), "dpi": ((1, 10**6),),
            "icc_profile": (profile, profile[:100], b"no profile at all"), "transparency": (b"\0\xff", 0, 255),
        },
        "WEBP": {"lossless": (True,), "quality": (0, 100), "icc_profile": (profile, profile[:60]), "method": (0, 6)},
        "GIF": {"interlace": (0, 1), "transparency": (0, 200), "comment": (b"c" * 255,), "disposal": (0, 3)},
        "BMP": {"dpi": ((0, 0), (10**6, 1))},
        "TIFF": {
            "compression": ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "group3", "group4"),
            "big_tiff": (True,), "strip_size": (64, 100_000), "icc_profile": (profile, profile[:100]),
        },
        "AVIF": {"quality": (0, 100), "subsampling": ("4:0:0", "4:4:4"), "speed": (10,)},
    }  # fmt: skip
    for format_, choices in options.items():
        for name, values in choices.items() if format_ in MODES else ():
            for place, value in enumerate(values):
                one_bit = value in ("group3", "group4")
                image = picture("1" if one_bit else "P" if name in ("bits", "transparency") else "RGB", size)
                data = encoded(image, format_, **{name: value})
                # A profile may be so broken that the photo is refused: then in a sentence.
                yield f"{format_} {name} {place}", Odd(data, () if name == "icc_profile" else size)
    for format_ in ("GIF", "WEBP"):
        for frames in (2, 40):
            yield f"{format_} of {frames} pictures", Odd(crafted.animation(format_, frames), (16, 16))


def _turned() -> Iterator[tuple[str, Odd]]:
    wide, high = 48, 32
    for format_ in ("JPEG", "PNG", "WEBP", "TIFF"):
        for said in (*range(10), 255, 65_535):
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = said
            size = (high, wide) if 5 <= said <= 8 else (wide, high)
            yield f"{format_} turned {said}", Odd(encoded(smooth(wide, high), format_, exif=exif), size)
    jpeg = encoded(smooth(wide, high), "JPEG")
    for name, directory in {
        "no Exif": b"", "half a header": b"II*", "no directory": b"II*\0\xff\xff\xff\xff",
        "itself as the next": b"II*\0" + struct.pack("<IH", 8, 0) + struct.pack("<I", 8),
        "10,000 entries": b"II*\0" + struct.pack("<IH", 8, 10_000), "a bomb": crafted.directory_bomb(1000, 60_000),
        "text as orientation": b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abcd\0\0\0\0",
    }.items():  # fmt: skip
        for format_, data in {
            "JPEG": behind_start(jpeg, segment(0xE1, (b"Exif\0\0" + directory)[:65_000])),
            "PNG": png(48, 32, chunks=chunk(b"eXIf", directory)),
        }.items():
            yield f"{format_}: Exif that is {name}", Odd(data, ())


def _cut() -> Iterator[tuple[str, Odd]]:
    for format_, modes in MODES.items():
        data = encoded(picture(modes[-1], (64, 48)), format_)
        for part in CUTS:
            yield f"{format_}, {part}% of it", Odd(data[: max(1, len(data) * part // 100)], ())
            middle = len(data) * part // 100
            yield f"{format_}, a hole at {part}%", Odd(data[:middle] + data[middle + 40 :], ())
            yield f"{format_}, zeros from {part}% on", Odd(data[:middle] + bytes(len(data) - middle), ())


def _lying() -> Iterator[tuple[str, Odd]]:
    small = encoded(smooth(16, 16), "PNG")
    for side in (0, 20_001, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1):
        for wide, high in ((side, 16), (16, side), (side, side)):
            head = chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))
            yield f"PNG that says {wide}x{high}", Odd(small[:8] + head + small[33:], None)
    jpeg = encoded(smooth(16, 16), "JPEG")
    place = jpeg.index(b"\xff\xc0") + 5
    gif, bmp = encoded(picture("P", (16, 16)), "GIF"), encoded(smooth(16, 16), "BMP")
    for side in (0, 20_001, 65_535):
        both = struct.pack(">HH", side, side)
        yield f"JPEG that says {side}x{side}", Odd(jpeg[:place] + both + jpeg[place + 4 :], None)
        yield f"GIF that says {side}x{side}", Odd(gif[:6] + struct.pack("<HH", side, side) + gif[10:], ())
    for side in (0, -1, 20_001, 2**31 - 1, -(2**31)):
        yield f"BMP that says {side}x16", Odd(bmp[:18] + struct.pack("<i", side) + bmp[22:], None)
    for depth, colour in ((0, 2), (3, 2), (16, 3), (8, 1), (8, 7), (255, 255)):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, depth, colour, 0, 0, 0))
        yield f"PNG of depth {depth} and colour {colour}", Odd(small[:8] + head + small[33:], None)


def _costly() -> Iterator[tuple[str, Odd]]:
    for scans in (MAX_SCANS + 1, 400, 3000):
        yield f"JPEG of {scans} scans", Odd(crafted.many_scans(64, 64, scans), None)
    yield "PNG of 81 million pixels", Odd(png(9000, 9000, depth=8, colour=0), None)
    yield "PNG of 30,000 x 2", Odd(png(30_000, 2), None)
    yield "PNG of 16 bits, 3000 x 1000", Odd(png(3000, 1000, depth=16, colour=6), (2048, 683))
    for size in (2**20 + 1, 2**23, 5 * 2**23):
        yield f"PNG with a text of {size}", Odd(png(8, 8, chunks=crafted.text_bomb(size)), None)
    yield "PNG with 9 texts", Odd(png(8, 8, chunks=crafted.text_bomb(2**20 - 100, 9)), None)
    yield "PNG of 60,000 blocks", Odd(png(4, 4, chunks=chunk(b"prVt", b"") * 60_000), None)
    yield (
        "JPEG with 9 MB around it",
        Odd(behind_start(encoded(smooth(16, 16), "JPEG"), *[segment(0xE1, bytes(65_000))] * 140), None),
    )
    yield "GIF of 500 pictures", Odd(crafted.animation("GIF", 500), (16, 16))
    yield "BMP of runs", Odd(crafted.slow_bmp(300, 200), (300, 200))


def _strangers() -> Iterator[tuple[str, Odd]]:
    random = np.random.default_rng(0)
    for name, data in {
        "nothing": b"", "one zero": b"\0", "zeros": bytes(10_000), "text": b"This is a letter.", "PDF": b"%PDF-1.7\n",
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Photoshop": b"8BPS" + bytes(100), "EPS": b"%!PS-Adobe",
        "HEIC": b"\0\0\0\x18ftypheic" + bytes(100), "JPEG 2000": b"\0\0\0\x0cjP  " + bytes(50), "ZIP": b"PK\3\4" * 50,
        "ICO": b"\0\0\1\0\1\0" + bytes(50), "a script": b"#!/bin/sh\n", "HTML": b"<html><script>1</script></html>",
    }.items():  # fmt: skip
        yield f"{name} instead of a photo", Odd(data, None)
    for beginning in (
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"RIFF\x99\0\0\0WEBP",
    ):
        for size in (0, 20, 3000):
            yield f"{beginning[:4]!r} and {size} of noise", Odd(beginning + random.bytes(size), None)
