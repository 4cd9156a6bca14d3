"""Directories of tags, in TIFF files and in Exif data: what their entries name, without reading it."""

from __future__ import annotations

import re
import struct

from .limits import BARE, MAX_MEMORY, MAX_TAGS, ImageError, Metadata, check_size

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")
_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_SUBDIRECTORIES = (34665, 34853, 40965)
"""Exif, GPS, interoperability."""
_INLINE = (256, 257, 258, 259, 277, 278, 322, 323)
"""Width, length, bits per sample, compression, samples, rows per strip, tile width, tile length."""


def check_directory(tiff: bytes, name: str) -> None:
    """The directories of Exif data or a TIFF file: many entries may name the same bytes, and each one gets a copy."""
    tiff = re.sub(rb"^(Exif\x00\x00){1,2}", b"", tiff[:16]) + tiff[16:]
    if tiff[:4] in MAGIC:
        _tags(tiff, name)


def check_pieces(data: bytes, name: str, max_pixels: int) -> None:
    """A TIFF file's directory, size and compressed strips or tiles; raises ImageError."""
    tags = _tags(data, name)
    width, height = tags.get(256, 0), tags.get(257, 0)
    check_size((width, height), "TIFF", name, max_pixels)
    if tags.get(259, 1) == 1:
        return
    wide, high = (tags[322], tags.get(323, 0)) if 322 in tags else (width, min(tags.get(278, height), height))
    piece = wide * high * max(1, tags.get(277, 1) * tags.get(258, 8) // 8)
    # A strip or tile is unpacked as a whole, beside the photo; one packed as JPEG keeps its coefficients too.
    needed = width * height * 4 + piece * (3 if tags[259] in (6, 7) else 1)
    if needed > MAX_MEMORY:
        raise ImageError(
            f"{name} is a TIFF whose strips unpack to {piece / 2**20:.0f} MB, {needed / 2**20:.0f} MB with the photo; "
            f"the limit is {MAX_MEMORY / 2**20:.0f} MB: save it as PNG or JPEG and try again."
        )


def _tags(data: bytes, name: str) -> dict[int, int]:
    """The first value of a TIFF's layout tags; adds up what all entries name, those of subdirectories too."""
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in (data[2], data[3])
    metadata = Metadata(name)
    first: dict[int, int] = {}
    pending = [(struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0], True)]
    while pending and len(pending) < 8:
        start, main = pending.pop()
        if start + (8 if big else 2) > len(data):
            continue
        count = struct.unpack_from(order + ("Q" if big else "H"), data, start)[0]
        if count > MAX_TAGS:
            raise ImageError(f"{name} has a directory of {count} tags; at most {MAX_TAGS} are read: {BARE}.")
        for index in range(count):
            entry = start + ((8 + 20 * index) if big else (2 + 12 * index))
            if entry + (20 if big else 12) > len(data):
                break
            tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
            metadata.add(min(values * _UNITS.get(kind, 0), len(data)))
            if main and tag in (*_INLINE, *_SUBDIRECTORIES) and kind in (3, 4, 13, 16):
                place = entry + (12 if big else 8)
                size = _UNITS[kind]
                if values * size > (8 if big else 4):
                    place = struct.unpack_from(order + ("Q" if big else "I"), data, place)[0]
                code = {2: "H", 4: "I", 8: "Q"}[size]
                if place + size <= len(data):
                    first[tag] = struct.unpack_from(order + code, data, place)[0]
        if main:
            pending.extend((first[tag], False) for tag in _SUBDIRECTORIES if tag in first)
    return first
