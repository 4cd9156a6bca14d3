"""Decoding of untrusted bytes, and the geometry between photo and network."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from inception_model.images.decode import WORKING_SIDE, ImageError, open_photo, read_photo
from inception_model.images.geometry import Box
from inception_model.images.preprocessing import CAFFE, TINY_IMAGENET, TORCHVISION, Preprocessing
from tests.compare import assert_close


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    x = np.linspace(0, 255, width, dtype=np.uint8)[None, :].repeat(height, 0)
    y = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([x, y, np.full_like(x, 90)], axis=2))


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "GIF"])
def test_every_allowed_format_is_read(format_: str) -> None:
    options = {"lossless": True} if format_ == "WEBP" else {}
    photo = read_photo(encoded(gradient(), format_, **options))
    assert photo.size == (60, 40)
    assert photo.image.mode == "RGB"
    if format_ in ("PNG", "BMP", "TIFF", "WEBP"):
        assert np.array_equal(np.asarray(photo.image), np.asarray(gradient()))


def declared_png(width: int, height: int) -> bytes:
    """A PNG header that promises a huge image in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello, this is no image at all", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><SVG></SVG>", "SVG"),
        (encoded(gradient(400, 300), "JPEG")[:-900], "damaged"),
        (encoded(gradient(), "PNG")[:80], "damaged"),
        (declared_png(100_000, 100_000), "million pixels"),
        (encoded(gradient(), "PPM"), "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not an image"),
    ],
)
def test_bad_bytes_get_one_clear_sentence(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words) as error:
        read_photo(data, "upload.bin")
    assert "upload.bin" in str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_bytes_or_pixels_are_refused_with_the_limit() -> None:
    data = encoded(gradient(), "PNG")
    with pytest.raises(ImageError, match="the limit is"):
        read_photo(data, max_bytes=len(data) - 1)
    with pytest.raises(ImageError, match="60 x 40"):
        read_photo(data, max_pixels=2399)
    assert read_photo(data, max_bytes=len(data), max_pixels=2400).size == (60, 40)


def test_a_missing_file_is_an_image_error(tmp_path) -> None:
    with pytest.raises(ImageError, match="can't be read"):
        open_photo(tmp_path / "none.png")


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to be upright
    photo = read_photo(encoded(gradient(), "JPEG", exif=exif, quality=95))
    assert photo.size == (40, 60)


def test_transparency_lies_on_white_and_16_bit_is_scaled() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert read_photo(encoded(clear, "PNG")).image.getpixel((0, 0)) == (255, 255, 255)
    grey = Image.fromarray(np.full((8, 8), 32768, dtype=np.uint16))
    level = read_photo(encoded(grey, "PNG")).image.getpixel((0, 0))
    assert level == (127, 127, 127)


def test_a_colour_profile_is_converted_to_srgb() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read_photo(encoded(gradient(), "PNG", icc_profile=lab))
    assert np.abs(np.asarray(photo.image).astype(int) - np.asarray(gradient())).max() <= 1
    assert read_photo(encoded(gradient(), "PNG", icc_profile=b"broken")).size == (60, 40)


def test_animations_give_their_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_photo(data).image.getpixel((5, 5)) == (255, 0, 0)


def test_large_photos_are_shrunk_and_the_hash_is_of_the_bytes() -> None:
    data = encoded(gradient(3000, 1500), "JPEG")
    first, second = read_photo(data), read_photo(data, "another name")
    assert max(first.size) <= WORKING_SIDE
    assert first.sha256 == second.sha256 != read_photo(encoded(gradient(), "PNG")).sha256


def test_the_view_is_a_centred_square_and_maps_back() -> None:
    preprocessing = Preprocessing()
    view = preprocessing.view((640, 480))
    assert (view.width, view.height) == pytest.approx((420, 420), rel=1e-3)  # 640 x 480 becomes 341 x 256: whole pixels
    assert (view.left + view.right) / 2 == pytest.approx(320, rel=5e-3)
    assert (view.top + view.bottom) / 2 == 240
    assert preprocessing.to_photo((640, 480), 0, 0) == (view.left, view.top)
    assert preprocessing.to_photo((640, 480), 224, 224) == (view.right, view.bottom)
    whole = preprocessing.box_to_photo((640, 480), Box(0, 0, 224, 224))
    assert (whole.left, whole.bottom) == (view.left, view.bottom)
    assert Box(-5, 3, 700, 600).clipped((640, 480)) == Box(0, 3, 640, 480)


def test_normalising_equals_torchvision_and_goes_back() -> None:
    from torchvision.transforms.v2 import functional as tv

    pixels = torch.rand(2, 3, 8, 8)
    ours = Preprocessing().normalise(pixels)
    theirs = tv.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert_close(ours, theirs, 1e-6)
    assert_close(TORCHVISION.normalise(pixels), pixels * 2 - 1, 1e-6)
    caffe = CAFFE.normalise(pixels)
    assert_close(caffe[:, 0], pixels[:, 2] * 255 - 104, 1e-6)
    for preprocessing in (Preprocessing(), TORCHVISION, CAFFE):
        assert_close(preprocessing.denormalise(preprocessing.normalise(pixels)), pixels, 1e-6)


def test_a_photo_becomes_torchvisions_tensor() -> None:
    """The published recipe (resize 256, centre crop 224), against torchvision's own transform."""
    from torchvision.models import GoogLeNet_Weights

    image = gradient(512, 512)
    theirs = GoogLeNet_Weights.IMAGENET1K_V1.transforms()(image)
    ours = Preprocessing()(image)[0]
    assert ours.shape == theirs.shape
    assert_close(ours, theirs, 0.02)  # one resampling step instead of two


def test_the_bundled_view_is_the_whole_shorter_side() -> None:
    image = gradient(64, 64)
    direct = image.resize((224, 224), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(TINY_IMAGENET.crop(image)), np.asarray(direct))
    assert TINY_IMAGENET.view((640, 480)) == Box(80, 0, 560, 480)


def test_preprocessing_survives_json() -> None:
    import dataclasses
    import json

    values = json.loads(json.dumps(dataclasses.asdict(TINY_IMAGENET)))
    assert Preprocessing.from_dict(values) == TINY_IMAGENET
