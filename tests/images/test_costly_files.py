"""Files that cost far more than their bytes say: refused from the header in one sentence, or decoded within bounds."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inception_model.images import decode, limits, shrinking
from inception_model.images.decode import WORKING_SIDE, ImageError, read_photo
from tests.images.crafted import (
    animation,
    behind_start,
    chunk,
    directory_bomb,
    encoded,
    many_scans,
    png,
    segment,
    smooth,
    text_bomb,
)  # fmt: skip

MB = 2**20


def refused(data: bytes, *words: str) -> str:
    """The one sentence that refuses the file, before any pixel is decoded."""
    with pytest.raises(ImageError) as error:
        read_photo(data, "upload.bin")
    sentence = str(error.value)
    assert sentence.startswith("upload.bin ")
    assert "\n" not in sentence
    assert sentence.endswith(".")
    for word in words:
        assert word in sentence
    return sentence


@pytest.fixture
def no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be decoded, nor even opened."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the file was opened")

    monkeypatch.setattr(Image, "open", never)


@pytest.mark.usefixtures("no_pixels")
def test_a_jpeg_of_many_scans_is_refused_before_decoding() -> None:
    refused(many_scans(64, 64, limits.MAX_SCANS + 1), "more than 100 scans", "JPEG and try again")


def test_scans_are_counted_as_the_decoder_counts_them() -> None:
    assert read_photo(many_scans(64, 64, limits.MAX_SCANS)).size == (64, 64)
    # A preview inside of a segment is no scan of the photo, nor is anything behind its end.
    inner = b"\xff\xda\0\x02" * 200
    jpeg = encoded(smooth(64, 64), "JPEG")
    assert read_photo(behind_start(jpeg, segment(0xED, inner)) + inner).size == (64, 64)
    # Restart markers and stuffed zeros are no scans either; padding in front of a marker hides none.
    assert read_photo(encoded(smooth(64, 64), "JPEG", restart_marker_blocks=1)).size == (64, 64)
    refused(many_scans(64, 64, 101).replace(b"\xff\xda", b"\xff\xff\xff\xda"), "scans")


@pytest.mark.usefixtures("no_pixels")
def test_a_progressive_jpeg_whose_coefficients_take_too_much_memory_is_refused() -> None:
    jpeg = encoded(Image.new("CMYK", (16, 16)), "JPEG", progressive=True)
    place = jpeg.index(b"\xff\xc2") + 5
    refused(jpeg[:place] + (6000).to_bytes(2, "big") * 2 + jpeg[place + 4 :], "progressive", "baseline JPEG")


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1)])
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "BMP", "GIF", "TIFF"])
def test_a_side_that_no_photo_has_is_refused(format_: str, size: tuple[int, int]) -> None:
    refused(encoded(Image.new("L", size), format_), "60000", "a side may have 20000", "smaller copy")


@pytest.mark.usefixtures("no_pixels")
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_that_unpacks_to_too_much_is_refused_before_its_canvas(mode: str, lossless: bool) -> None:
    data = bytearray(encoded(Image.new(mode, (16, 16)), "WEBP", lossless=lossless))
    if data[12:16] == b"VP8L":
        data[21:24] = ((5999 | 5999 << 14) & 0xFFFFFF).to_bytes(3, "little")
        data[24] = (data[24] & 0xF0) | (5999 << 14 >> 24)
    elif data[12:16] == b"VP8X":
        data[24:30] = (5999).to_bytes(3, "little") * 2
    else:
        data[26:30] = (6000).to_bytes(2, "little") * 2
    refused(bytes(data), "WEBP", "36 million pixels", "save it as JPEG")


@pytest.mark.usefixtures("no_pixels")
def test_texts_that_unpack_to_much_are_refused() -> None:
    refused(png(4, 4, chunks=text_bomb(50 * MB)), "text", "unpacks to more than 1 MB", "without metadata")
    refused(png(4, 4, chunks=text_bomb(MB - 100, 9)), "more than 8 MB of metadata", "without metadata")
    refused(png(4, 4, chunks=chunk(b"tEXt", b"Comment\0" + b"x" * 9 * MB)), "8 MB of metadata")
    packed = text_bomb(2 * MB)[8:-4].replace(b"Comment\0\0", b"icc\0\0")
    refused(png(4, 4, chunks=chunk(b"iCCP", packed)), "colour profile", "1 MB")
    international = b"Comment\0\1\0en\0word\0" + text_bomb(2 * MB)[8:-4].removeprefix(b"Comment\0\0")
    refused(png(4, 4, chunks=chunk(b"iTXt", international)), "text")


@pytest.mark.usefixtures("no_pixels")
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_a_tiff_of_one_packed_strip_that_takes_too_much_is_refused(compression: str) -> None:
    """The strip is unpacked beside the photo: 8 bytes per pixel and 4 for the photo."""
    data = encoded(Image.new("RGBA", (5200, 5200)), "TIFF", compression=compression, strip_size=2**31 - 1)
    # 16 bits per sample, said in the table that the directory names.
    refused(
        data.replace(struct.pack("<4H", 8, 8, 8, 8), struct.pack("<4H", 16, 16, 16, 16)), "strips", "as PNG or JPEG"
    )


def test_texts_of_ordinary_size_are_no_reason_to_refuse() -> None:
    assert read_photo(png(4, 4, chunks=text_bomb(MB // 2, 3))).size == (4, 4)


@pytest.mark.usefixtures("no_pixels")
def test_much_metadata_is_refused_in_every_format() -> None:
    jpeg = encoded(smooth(16, 16), "JPEG")
    refused(behind_start(jpeg, *[segment(0xE1, bytes(65_000))] * 130), "8 MB of metadata")
    webp = encoded(smooth(16, 16), "WEBP", exif=b"Exif\0\0II*\0" + bytes(9 * MB))
    refused(webp, "8 MB of metadata")
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * 4200 + b"\0"
    gif = encoded(Image.new("L", (4, 4)), "GIF")
    start = gif.index(b"\x2c")
    refused(gif[:start] + comment + gif[start:], "bytes of comments")
    refused(gif[:start] + b"\x21\xfe\1x\0" * 3000 + gif[start:], "extensions")
    refused(png(4, 4, chunks=chunk(b"prVt", b"") * 60_000), "50000 blocks")


@pytest.mark.usefixtures("no_pixels")
def test_directories_whose_entries_name_the_same_bytes_are_refused() -> None:
    """Each entry's bytes are copied on reading: 60 KB would become 180 MB."""
    bomb = directory_bomb(400, 50_000)
    jpeg = encoded(smooth(16, 16), "JPEG")
    refused(behind_start(jpeg, segment(0xE1, b"Exif\0\0" + bomb)), "8 MB of metadata")
    refused(behind_start(jpeg, segment(0xE2, b"MPF\0" + bomb)), "8 MB of metadata")
    parts = [segment(0xE1, b"Exif\0\0" + part) for part in (bomb[:20_000], bomb[20_000:])]
    refused(behind_start(jpeg, *parts), "8 MB of metadata")
    refused(png(4, 4, chunks=chunk(b"eXIf", bomb)), "8 MB of metadata")
    refused(bomb, "8 MB of metadata")  # as a TIFF file
    refused(directory_bomb(3000, 4), "3000 tags")


def test_a_directory_bomb_written_as_text_is_refused() -> None:
    raw = b"\nexif\n  54000\n" + directory_bomb(400, 50_000).hex().encode()
    data = png(4, 4, chunks=chunk(b"tEXt", b"Raw profile type exif\0" + raw))
    refused(data, "8 MB of metadata")


@pytest.mark.parametrize(("format_", "frames"), [("GIF", 3000), ("WEBP", 1000), ("PNG", 1000)])
def test_of_thousands_of_frames_only_the_first_is_decoded(format_: str, frames: int) -> None:
    data = animation(format_, frames)
    start = time.process_time()
    photo = read_photo(data)
    assert time.process_time() - start < 0.5
    red, green, _ = photo.image.getpixel((8, 8))  # type: ignore[misc]
    assert red > 240 > 15 > green


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (HEIC, ("HEIC", "export it as JPEG")),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix", ("HEIC", "as JPEG")),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", ("video", "as JPEG")),
        (b"%PDF-1.7\n", ("PDF", "as JPEG")),
        (b"\0\0\0\x0cJXL \r\n\x87\n", ("JPEG XL", "as JPEG")),
    ],
)
def test_a_format_that_is_not_read_is_named_with_the_way_out(data: bytes, words: tuple[str, ...]) -> None:
    refused(data + bytes(100), *words)


def test_avif_is_read() -> None:
    photo = read_photo(encoded(smooth(60, 40), "AVIF", quality=95))
    assert photo.size == (60, 40)
    assert np.abs(np.asarray(photo.image).astype(int) - np.asarray(smooth(60, 40))).mean() < 4
    assert "AVIF" in limits.FORMATS


def test_an_avif_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("L", (4400, 4000)), "AVIF", speed=10)

    def never(*_: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.AvifImagePlugin.AvifImageFile.load", never)
    refused(data, "18 million pixels", "the limit for AVIF is 16 million", "save it as JPEG")


def test_avif_is_named_where_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inception_model.images.headers.FORMATS", ("JPEG",))
    refused(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF", "as JPEG")


@pytest.mark.parametrize(
    ("mode", "size"),
    [
        *product(("RGB", "RGBA", "P", "I;16"), ((625, 625), (2251, 175), (751, 499))),
        ("RGBA", (3001, 1999)),
    ],
)
def test_bands_give_what_the_whole_picture_gives(
    mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against Pillow's own thumbnail of the picture after its colours were converted as a whole. Small pictures have
    as many bands as those that are four times as long and wide: all lengths are a quarter."""
    side = WORKING_SIDE if max(size) == 3001 else WORKING_SIDE // 4
    monkeypatch.setattr(decode, "WORKING_SIDE", side)
    monkeypatch.setattr(shrinking, "BAND_PIXELS", shrinking.BAND_PIXELS * side**2 // WORKING_SIDE**2)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (size[1] // 4, size[0] // 4, 4), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    image = picture if mode == "RGBA" else picture.convert("RGB")
    if mode == "P":
        image = image.quantize(16, Image.Quantize.FASTOCTREE)
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    white = Image.new("RGBA", size, "white")
    whole = image
    if mode == "I;16":
        whole = Image.fromarray((np.asarray(image) / 65535 * 255).astype(np.uint8))
    elif mode == "RGBA":
        whole = Image.alpha_composite(white, image)
    whole = whole.convert("RGB")
    whole.thumbnail((side, side), Image.Resampling.LANCZOS)
    found = read_photo(encoded(image, "PNG", compress_level=1)).image
    assert found.size == whole.size
    assert np.abs(np.asarray(found).astype(int) - np.asarray(whole)).max() <= 1


MEASURED = """
import os, resource, sys
from pathlib import Path
from inception_model.images.decode import read_photo
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
def measure(path):
    data, before = path.read_bytes(), peak()
    photo = read_photo(data)
    print(path.name, photo.size[0], photo.size[1], peak() - before, sep=";", flush=True)
for path in sorted(Path(sys.argv[1]).iterdir()):
    if not (child := os.fork()):
        measure(path)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, path.name
"""
"""A process for each photo, started from one that has decoded nothing: a fork begins with the memory that its parent
has, a new program on Linux with the peak of the one that started it."""


def forty_megapixels(kind: str) -> bytes:
    """Photos of 40 million pixels, as large as a decoder can be made to hold them."""
    width, height = 8000, 5000
    if kind == "RGB PNG":
        return png(width, height)
    if kind == "16 bit RGBA PNG":
        return png(width, height, depth=16, colour=6)
    if kind == "16 bit PNG":
        return png(width, height, depth=16, colour=0)
    if kind == "float TIFF":
        return encoded(Image.new("F", (width, height)), "TIFF", compression="tiff_adobe_deflate")
    if kind == "progressive JPEG":
        return encoded(Image.new("RGB", (width, height)), "JPEG", progressive=True, subsampling=0)
    if kind == "turned JPEG":
        exif = Image.Exif()
        exif[0x0112] = 6
        return encoded(Image.new("RGB", (width, height)), "JPEG", exif=exif)
    if kind == "palette GIF":
        return encoded(Image.new("P", (width, height)), "GIF", transparency=0)
    side = int(limits.PIXELS_AT_ONCE["WEBP"] ** 0.5)
    return encoded(Image.new("RGBA", (side, side), (9, 9, 9, 9)), "WEBP", lossless=True, method=0, quality=0)


LARGEST = (
    "RGB PNG", "16 bit RGBA PNG", "16 bit PNG", "float TIFF", "progressive JPEG", "turned JPEG", "palette GIF",
    "RGBA WebP",
)  # fmt: skip


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int, int]]:
    """Of each kind of photo what decoding it gave and took: width, height, bytes."""
    folder = tmp_path_factory.mktemp("largest")
    for kind in LARGEST:
        (folder / kind).write_bytes(forty_megapixels(kind))
    command = [sys.executable, "-c", MEASURED, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
    rows = (line.split(";") for line in done.stdout.splitlines())
    return {kind: (int(width), int(height), int(grown)) for kind, width, height, grown in rows}


@pytest.mark.parametrize("kind", LARGEST)
def test_the_largest_photos_stay_within_the_memory(kind: str, decoded: dict[str, tuple[int, int, int]]) -> None:
    width, height, grown = decoded[kind]
    assert max(width, height) == WORKING_SIDE
    assert 10 * MB < grown < limits.MAX_MEMORY, f"{grown / MB:.0f} MB"
