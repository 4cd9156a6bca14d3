"""What a photo file declares, read without decoding any of it: refused here is what would cost too much to decode.

Everything is taken from the raw bytes before Pillow sees them, because opening a file already unpacks texts, reads Exif
and allocates canvases. Each refusal is one sentence: what was found, what is allowed, what to do.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from .directories import MAGIC, check_directory, check_pieces
from .limits import (
    AGAIN,
    BARE,
    FORMATS,
    MAX_MEMORY,
    MAX_PIXELS,
    MAX_SCANS,
    MAX_TAGS,
    MAX_TEXT,
    FormatError,
    ImageError,
    Metadata,
    check_size,
)  # fmt: skip

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    **dict.fromkeys(MAGIC, "TIFF"),
}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_STRANGERS = {
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop document",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 photo",
    b"\0\0\0\x0cJXL ": "a JPEG XL photo",
    b"\xff\x0a": "a JPEG XL photo",
}


@dataclass(frozen=True)
class Header:
    """What a file declares.

    `simple`: of a kind whose decoding costs no more than its bytes and pixels say. `coefficients`: bytes that a JPEG
    keeps until its last scan; 0 where it needn't keep them.
    """

    format: str
    simple: bool = False
    coefficients: int = 0


def read_header(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Header:
    """Finds the format by its first bytes and checks everything that can be known without decoding.

    Raises ImageError.
    """
    kind = _format(data, name)
    try:
        if kind == "TIFF":
            check_pieces(data, name, max_pixels)
        elif kind == "WEBP":
            _webp(data, name, max_pixels)
        elif kind in _READERS:
            return _READERS[kind](data, name)
    except (struct.error, IndexError):
        raise ImageError(f"{name} is damaged or cut short: its header ends too early; {AGAIN}.") from None
    return Header(kind)  # AVIF says its size when it is opened, which decodes nothing


def _format(data: bytes, name: str) -> str:
    start = data[:32]
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WEBP"
    how = "open it and save it, or a screenshot of it, as JPEG, then try again"
    if start[4:8] == b"ftyp":
        brands = {data[place : place + 4] for place in range(8, min(int.from_bytes(data[:4], "big"), 256), 4)}
        if brands & {b"avif", b"avis"}:
            if "AVIF" in FORMATS:
                return "AVIF"
            raise FormatError(f"{name} is an AVIF photo, which the installed Pillow can't read: {how}.")
        if brands & _HEIC:
            raise FormatError(
                f"{name} is a HEIC photo, as iPhones take them, which can't be read here: export it as JPEG (in Photos "
                "on a Mac: File, Export; on an iPhone: Settings, Camera, Formats, Most Compatible) and try again."
            )
        raise FormatError(f"{name} is a video or a photo in a video's container, which can't be read here: {how}.")
    for magic, what in _STRANGERS.items():
        if start.startswith(magic):
            raise FormatError(f"{name} is {what}, which can't be read here: {how}.")
    raise FormatError(f"{name} is not an image that can be read here (allowed: {', '.join(FORMATS)}).")


def _jpeg(data: bytes, name: str) -> Header:
    metadata, scans, place = Metadata(name), 0, 2
    coefficients, components, sequential, whole_first = 0, 0, False, False
    exif: list[bytes] = []
    while (found := _MARKER.search(data, place)) is not None:
        marker, place = data[found.end() - 1], found.end()
        if marker == 0xD9:
            break
        if marker in (0x01, 0xD8):
            continue
        metadata.block()
        if place + 2 > len(data):
            break
        length = struct.unpack_from(">H", data, place)[0]
        body = data[place + 2 : place + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            coefficients, components = _coefficients(body)
            sequential = marker in (0xC0, 0xC1)
            whole_first = not sequential
        elif marker == 0xDA:
            scans += 1
            whole_first = whole_first or body[0] < components
            if scans > MAX_SCANS:
                raise ImageError(
                    f"{name} is a JPEG of more than {MAX_SCANS} scans (a photo for the web has about ten), each of "
                    f"which passes over the whole photo: {AGAIN}."
                )
        elif 0xE0 <= marker <= 0xEF or marker == 0xFE:
            metadata.add(len(body))
            if marker == 0xE1 and body.startswith(b"Exif\0\0"):
                exif.append(body[6:])  # several are one, as Pillow joins them
            elif marker == 0xE2 and body.startswith(b"MPF\0"):
                check_directory(body[4:], name)
        place += length
    check_directory(b"".join(exif), name)
    if (
        whole_first and coefficients > MAX_MEMORY * 5 // 6
    ):  # the rest is for the photo, which is drafted at half its size
        raise ImageError(
            f"{name} is a progressive JPEG that takes {coefficients / 2**20:.0f} MB to decode; the limit is "
            f"{MAX_MEMORY / 2**20:.0f} MB: save it as a baseline JPEG, or smaller, and try again."
        )
    profile = b"ICC_PROFILE\0" in data
    simple = sequential and scans <= 4 and not profile
    return Header("JPEG", simple, coefficients if whole_first else 0)


def _coefficients(frame: bytes) -> tuple[int, int]:
    """Bytes of all coefficients (16 bits each, a block of 8 x 8 at least), and the number of components."""
    height, width, components = struct.unpack_from(">HHB", frame, 1)
    factors = [divmod(frame[7 + 3 * index], 16) for index in range(components)]
    wide, high = max((f[0] for f in factors), default=1) or 1, max((f[1] for f in factors), default=1) or 1
    blocks = sum(-(-width * h // (8 * wide)) * -(-height * v // (8 * high)) for h, v in factors)
    return 128 * blocks, components


def _chunks(data: bytes, name: str, metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 8 <= len(data):
        metadata.block()
        length = struct.unpack_from(">I", data, place)[0]
        kind = data[place + 4 : place + 8]
        # Pixels are not copied: nobody looks at them here.
        yield kind, b"" if kind in (b"IDAT", b"fdAT") else data[place + 8 : place + 8 + length]
        if kind == b"IEND":
            return
        place += 12 + length


def _png(data: bytes, name: str) -> Header:
    metadata, profile = Metadata(name), False
    for kind, body in _chunks(data, name, metadata):
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"fdAT", b"fcTL", b"IEND"):
            continue
        metadata.add(len(body))
        profile = profile or kind == b"iCCP"
        packed = _packed(kind, body)
        if packed:
            unpacked = zlib.decompressobj()
            try:
                size = len(unpacked.decompress(packed, MAX_TEXT + 1))
            except zlib.error:
                continue  # Pillow passes over it too, or says that it is damaged
            if size > MAX_TEXT:
                what = "colour profile" if kind == b"iCCP" else "text"
                raise ImageError(
                    f"{name} holds a {what} of {len(packed)} bytes that unpacks to more than "
                    f"{MAX_TEXT / 2**20:.0f} MB: {BARE}."
                )
            metadata.add(size)
        if kind == b"eXIf":
            check_directory(body, name)
    return Header("PNG", simple=not profile)


def _packed(kind: bytes, body: bytes) -> bytes:
    """The compressed part of a text or profile; empty where there is none."""
    if kind in (b"zTXt", b"iCCP"):  # keyword, zero, method
        return body.partition(b"\0")[2][1:]
    if kind == b"iTXt":  # keyword, zero, flag, method, language, zero, translated keyword, zero
        flags = body.partition(b"\0")[2]
        if flags[:1] == b"\1":
            return flags[2:].partition(b"\0")[2].partition(b"\0")[2]
    return b""


def _gif(data: bytes, name: str) -> Header:
    """As far as the first frame: nothing behind it is read."""
    metadata, place = Metadata(name), 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)
    comments = extensions = 0
    while place < len(data) and data[place] != 0x2C:
        if data[place] != 0x21:
            place += 1
            metadata.block()
            continue
        comment, extensions, place = data[place + 1] == 0xFE, extensions + 1, place + 2
        while place < len(data) and data[place]:
            metadata.block()
            metadata.add(data[place])
            comments += data[place] * comment
            place += 1 + data[place]
        place += 1
        # Each piece of a comment is appended to a copy of all before it.
        if comments > MAX_TEXT or extensions > MAX_TAGS:
            raise ImageError(
                f"{name} has {extensions} extensions with {comments} bytes of comments before its picture; at most "
                f"{MAX_TAGS} and {MAX_TEXT} are read: {BARE}."
            )
    return Header("GIF", simple=True)


def _webp(data: bytes, name: str, max_pixels: int) -> None:
    metadata, place = Metadata(name), 12
    while place + 8 <= len(data):
        metadata.block()
        kind, length = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if kind not in (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"):
            metadata.add(length)
        if kind == b"VP8X":
            # libwebp takes the canvas while it opens the file.
            extent = [int.from_bytes(data[start : start + 3], "little") + 1 for start in (place + 12, place + 15)]
            check_size((extent[0], extent[1]), "WEBP", name, max_pixels)
        if kind == b"VP8 " and place == 12:
            width, height = struct.unpack_from("<HH", data, place + 14)
            check_size((width & 0x3FFF, height & 0x3FFF), "WEBP", name, max_pixels)
        if kind == b"VP8L" and place == 12:
            bits = struct.unpack_from("<I", data, place + 9)[0]
            check_size(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), "WEBP", name, max_pixels)
        if kind == b"EXIF":
            check_directory(data[place + 8 : place + 8 + length], name)
        place += 8 + length + length % 2


def _bmp(data: bytes, name: str) -> Header:
    packed = struct.unpack_from("<I", data, 30)[0] in (1, 2) if data[14] >= 40 else False
    return Header("BMP", simple=not packed)


_READERS = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "BMP": _bmp}
