"""A square of one's own choice: what is cut out, where its maps lie, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from inception_model.drawing import overlay
from inception_model.drawing.overlay import Grid
from inception_model.images.decode import Photo
from inception_model.images.geometry import Box, read_square, square_text
from inception_model.images.preprocessing import CAFFE, TINY_IMAGENET, TORCHVISION, Preprocessing
from tests.compare import assert_close

RANDOM = np.random.default_rng(11)
ODD_SIZES = [tuple(int(edge) for edge in size) for size in RANDOM.integers(17, 700, (18, 2))] + [(1999, 61), (33, 801)]
KINDS = [TINY_IMAGENET, TORCHVISION, CAFFE]


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(RANDOM.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def squares_on(size: tuple[int, int]) -> Iterator[Box]:
    """The smallest, the largest and some between, at edges and inside."""
    width, height = size
    for side in (16, min(size), *RANDOM.integers(16, min(size) + 1, 4).tolist()):
        for x, y in ((0, 0), (width - side, height - side), RANDOM.integers(0, (width - side + 1, height - side + 1))):
            yield Box(int(x), int(y), int(x) + side, int(y) + side)


@pytest.mark.parametrize("size", ODD_SIZES)
@pytest.mark.parametrize("preprocessing", KINDS, ids=["tiny-imagenet", "torchvision", "caffe"])
def test_without_a_square_the_crop_is_the_usual_one_to_the_bit(
    size: tuple[int, int], preprocessing: Preprocessing
) -> None:
    image, (width, height) = noise(size), size
    short = min(size)
    if preprocessing.resize == 224:
        left, top = (width - short) / 2, (height - short) / 2
        wanted = image.resize((224, 224), Image.Resampling.BICUBIC, box=(left, top, left + short, top + short))
    else:
        long = int(preprocessing.resize * max(size) / short)
        whole = (preprocessing.resize, long) if width <= height else (long, preprocessing.resize)
        left, top = (round((edge - 224) / 2) for edge in whole)
        wanted = image.resize(whole, Image.Resampling.BILINEAR).crop((left, top, left + 224, top + 224))
    assert np.array_equal(np.asarray(preprocessing.crop(image)), np.asarray(wanted))
    assert preprocessing.crop(image, Photo(image, "sha", "noise").square).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("size", ODD_SIZES)
@pytest.mark.parametrize("preprocessing", KINDS[:2], ids=["bicubic", "bilinear"])
def test_a_square_is_cut_out_and_resized_and_nothing_else(size: tuple[int, int], preprocessing: Preprocessing) -> None:
    image = noise(size)
    for square in squares_on(size):
        x, y, side = int(square.left), int(square.top), int(square.width)
        wanted = Image.fromarray(np.asarray(image)[y : y + side, x : x + side]).resize((224, 224), preprocessing.filter)
        assert np.array_equal(np.asarray(preprocessing.crop(image, square)), np.asarray(wanted)), square
        assert preprocessing(image, square).equal(preprocessing.tensor(wanted))


def test_the_view_and_the_way_back_to_the_photo_are_the_square() -> None:
    square, size = Box(700, 20, 780, 100), (1200, 130)
    assert TORCHVISION.view(size, square) == square
    assert TORCHVISION.to_photo(size, 0, 0, square) == (700, 20)
    assert TORCHVISION.to_photo(size, 224, 224, square) == (780, 100)
    assert TORCHVISION.box_to_photo(size, Box(56, 0, 112, 224), square) == Box(720, 20, 740, 100)
    cell = overlay.unit_on_photo(TORCHVISION, size, Grid(7.5, 16, 224), 13, 0, square)
    assert_close([cell.left, cell.top, cell.right, cell.bottom], [700, 20 + 80 * 13 / 14, 700 + 80 / 14, 100])


@pytest.mark.parametrize("side", [1200, 600])
def test_a_bright_spot_of_a_map_lies_on_the_chosen_square(side: int) -> None:
    photo = Photo(Image.new("RGB", (1200, 300)), "sha", "panorama").with_square("900,40,200")
    heatmap = np.zeros((14, 14), np.float32)
    heatmap[3, 10] = 1
    drawn = overlay.map_on_photo(photo.image, heatmap, TORCHVISION, scale=1, side=side, square=photo.square)
    red = np.asarray(drawn).astype(int)[..., 0] - np.asarray(drawn).astype(int)[..., 2]  # lines and frame are grey
    rows, columns = np.nonzero(red > 0.9 * red.max())
    wanted = (900 + 200 * 10.5 / 14, 40 + 200 * 3.5 / 14)
    found = ((columns.mean() + 0.5) * 1200 / side, (rows.mean() + 0.5) * 1200 / side)
    assert_close(found, wanted, 2 / 1200, scale=1200)
    elsewhere = np.ones(red.shape, bool)
    elsewhere[40 * side // 1200 : 240 * side // 1200, 900 * side // 1200 : 1100 * side // 1200] = False
    assert not red[elsewhere].any()


def test_a_photo_with_a_square_is_another_one_for_what_is_remembered() -> None:
    photo = Photo(noise((300, 200)), "f" * 64, "noise")
    first, second = photo.with_square("0,0,100"), photo.with_square("1,0,100")
    assert photo.key == photo.sha256 == first.sha256
    assert len({photo.key, first.key, second.key}) == 3
    assert first.with_square(None).key == photo.key
    assert first.square_on((150, 100)) == Box(0, 0, 50, 50)


@pytest.mark.parametrize(
    "text",
    ["", "1,2", "1,2,3,4", "a,b,c", "-1,0,50", "0,0,50.5", "0,0,1e2", "0,0,15", "281,0,20", "0,181,20", "0,0,201",
     "0,0,999999999999", "٣,٣,٣٠", "0,0,50\n", " 0,0,50", "nan,0,50", "<b>,0,50", "x" * 10_000],
)  # fmt: skip
def test_a_square_that_is_none_or_lies_outside_gets_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"inside the photo's 300 × 200 px, with a side of at least 16 px") as told:
        read_square(text, (300, 200))
    assert len(str(told.value)) < 200


def test_a_square_can_be_read_as_it_is_written() -> None:
    for square in squares_on((300, 200)):
        assert read_square(square_text(square), (300, 200)) == square
