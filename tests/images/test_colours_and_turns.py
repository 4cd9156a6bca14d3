"""Colours and turns of a file: 16 bits, profiles of every mode, and rectangles that follow EXIF's orientation."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from inception_model.images.decode import read_photo
from inception_model.images.geometry import Box

ORIENTATIONS = range(1, 9)


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("top", [1, 100, 255, 256, 65535])
def test_sixteen_bit_grey_keeps_its_brightness_however_dark(top: int) -> None:
    values = np.linspace(0, top, 40 * 30).reshape(30, 40).astype(np.uint16)
    photo = read_photo(encoded(Image.fromarray(values), "PNG"))
    wanted = (values / 65535 * 255).astype(np.uint8)
    assert np.abs(np.asarray(photo.image)[..., 0].astype(int) - wanted).max() <= 1


def swapped() -> bytes:
    """sRGB with red and green exchanged: the tags of the two primaries change places in the file."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.find(b"rXYZ"), profile.find(b"gXYZ")
    assert 0 < red < 400
    assert 0 < green < 400
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_profiles_are_applied_in_every_mode(mode: str) -> None:
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    image = red.quantize(4) if mode == "P" else red.convert(mode)
    plain = np.asarray(read_photo(encoded(image, "PNG")).image)
    turned = np.asarray(read_photo(encoded(image, "PNG", icc_profile=swapped())).image)
    assert plain[8, 8].tolist() == [255, 0, 0]
    assert turned[8, 8, 1] > 200 > turned[8, 8, 0]


def test_transparency_stays_on_white_with_a_profile() -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    found = np.asarray(read_photo(encoded(image, "PNG", icc_profile=swapped())).image)
    assert (found == 255).all()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size", [(60, 40), (40, 60)])
def test_a_box_follows_the_turn(orientation: int, size: tuple[int, int]) -> None:
    """Painted into the stored pixels, then turned by Pillow: the box must lie on the painted part."""
    stored, box = Image.new("RGB", size), Box(4, 6, 14, 30)
    stored.paste((255, 255, 255), (4, 6, 14, 30))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    photo = read_photo(encoded(stored, "PNG", exif=exif))
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded(stored, "PNG", exif=exif))))
    assert np.array_equal(np.asarray(photo.image), np.asarray(turned))
    found = photo.upright(box)
    rows, columns = np.nonzero(np.asarray(photo.image)[..., 0])
    corners = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert (found.left, found.top, found.right, found.bottom) == pytest.approx(corners, rel=1e-9)


def test_a_box_shrinks_with_a_large_photo() -> None:
    photo = read_photo(encoded(Image.new("RGB", (4096, 1024)), "PNG"))
    assert photo.size == (2048, 512)
    assert photo.upright(Box(0, 0, 4096, 512)) == Box(0, 0, 2048, 256)
