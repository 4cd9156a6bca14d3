"""The paper's 144 crops: their boxes by another way (torchvision's crops of a picture of coordinates), their pixels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from inception_model.images import crops
from inception_model.images.crops import (
    COUNTS,
    CROPS,
    PLACES,
    SCALES,
    Crop,
    Place,
    all_crops,
    box_on_photo,
    crop_box,
    enlarged_by,
    first_crops,
    square_names,
    views,
)
from inception_model.images.preprocessing import TINY_IMAGENET, Preprocessing
from tests.compare import assert_close, relative_norm

SIZES = {"landscape": (451, 300), "portrait": (300, 451), "square": (320, 320), "odd": (257, 256), "tiny": (17, 23)}
FIVE: tuple[Place, ...] = ("upper left", "upper right", "lower left", "lower right", "centre")
"""The order of torchvision's five_crop."""
FIVE_MIRRORED: tuple[Place, ...] = ("upper right", "upper left", "lower right", "lower left", "centre")
"""TenCrop mirrors the picture and cuts then: its upper left is the mirror image of the upper right."""


def by_the_paper(size: tuple[int, int]) -> dict[Crop, tuple[int, int, int, int]]:
    """The rule of section 7 on a picture whose pixels are their own coordinates, cut by torchvision."""
    width, height = size
    found = {}
    for scale in SCALES:
        exact = Fraction(scale, min(size))
        wide = scale if width <= height else int(exact * width)
        high = scale if height <= width else int(exact * height)
        assert F.resize(torch.zeros(1, height, width), [scale]).shape[1:] == (high, wide)
        rows, columns = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
        coordinates = torch.stack([columns, rows])
        first, last = coordinates[:, :scale, :scale], coordinates[:, high - scale :, wide - scale :]
        for number, square in enumerate((first, F.center_crop(coordinates, [scale]), last)):
            cuts = dict(zip(FIVE, F.five_crop(square, [224, 224]), strict=True)) | {"whole": square}
            for place, cut in cuts.items():
                for mirrored in (False, True):
                    shown = F.horizontal_flip(cut) if mirrored else cut
                    left, top = (int(axis.min()) for axis in shown)
                    right, bottom = (int(axis.max()) + 1 for axis in shown)
                    assert shown.shape[1:] == (bottom - top, right - left)
                    assert (shown[0, 0, 0] > shown[0, 0, -1]) == mirrored
                    found[Crop(scale, number, place, mirrored)] = left, top, right, bottom
    return found


@pytest.mark.parametrize("kind", SIZES)
def test_the_144_boxes_are_those_of_the_paper(kind: str) -> None:
    size = SIZES[kind]
    wanted = by_the_paper(size)
    assert len(wanted) == 144
    assert {crop: crop_box(crop, size) for crop in all_crops()} == wanted


@pytest.mark.parametrize("kind", SIZES)
def test_boxes_on_the_photo_are_the_same_parts_of_it(kind: str) -> None:
    width, height = size = SIZES[kind]
    for crop in CROPS:
        left, top, right, bottom = crop_box(crop, size)
        short = min(size)
        wide = crop.scale if width <= height else int(Fraction(crop.scale * width, short))
        high = crop.scale if height <= width else int(Fraction(crop.scale * height, short))
        box = box_on_photo(crop, size)
        exact = [Fraction(left * width, wide), Fraction(top * height, high), Fraction(right * width, wide),
                 Fraction(bottom * height, high)]  # fmt: skip
        assert_close([box.left, box.top, box.right, box.bottom], [float(edge) for edge in exact], 1e-12)
        assert box.right <= width
        assert box.bottom <= height


def test_the_order_is_nested() -> None:
    assert COUNTS == (1, 10, 144)
    assert sorted(map(repr, CROPS)) == sorted(map(repr, all_crops()))
    assert len(set(CROPS)) == 144 == len(SCALES) * 3 * len(PLACES) * 2
    assert first_crops(1) == (Crop(256, 1, "centre", False),)
    ten = first_crops(10)
    assert {(crop.scale, crop.square) for crop in ten} == {(256, 1)}
    assert {(crop.place, crop.mirrored) for crop in ten} == {(place, m) for place in FIVE for m in (False, True)}
    rest = CROPS[10:]
    assert list(rest) == [crop for crop in all_crops() if crop in set(rest)], "the others come as they are laid out"
    for wrong in (0, 145):
        with pytest.raises(ValueError, match="1 to 144"):
            first_crops(wrong)


def photo(kind: str) -> Image.Image:
    width, height = SIZES[kind]
    rng = np.random.default_rng(7)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("preprocessing", [Preprocessing(), TINY_IMAGENET], ids=["bilinear", "bicubic"])
@pytest.mark.parametrize("kind", SIZES)
def test_every_crop_has_torchvision_s_pixels(kind: str, preprocessing: Preprocessing) -> None:
    """Resize, then TenCrop of each square; the whole square by Resize."""
    image = photo(kind)
    way = {"interpolation": v2.InterpolationMode(preprocessing.interpolation), "antialias": True}
    seen = views(image, CROPS, preprocessing)
    mine = {crop: seen.pictures[place] for crop, place in zip(CROPS, seen.place, strict=True)}
    for scale in SCALES:
        whole = v2.Resize(scale, **way)(image)
        squares = [
            whole.crop((0, 0, scale, scale)),
            v2.CenterCrop(scale)(whole),
            whole.crop((whole.width - scale, whole.height - scale, whole.width, whole.height)),
        ]
        for number, square in enumerate(squares):
            ten = v2.TenCrop(224)(square)
            for at, cut in enumerate(ten):
                crop = Crop(scale, number, FIVE_MIRRORED[at - 5] if at >= 5 else FIVE[at], at >= 5)
                assert np.array_equal(mine[crop], np.asarray(cut)), crop
            small = v2.Resize([224, 224], **way)(square)
            for mirrored in (False, True):
                wanted = v2.functional.horizontal_flip(small) if mirrored else small
                found = mine[Crop(scale, number, "whole", mirrored)]
                assert np.array_equal(found, np.asarray(wanted))


def test_the_first_crop_is_the_centre_view_of_a_network_that_resizes_to_256() -> None:
    for kind in SIZES:
        seen = views(photo(kind), first_crops(1), Preprocessing())
        assert np.array_equal(seen.pictures[0], np.asarray(Preprocessing().crop(photo(kind))))


def test_the_same_pictures_are_cut_once() -> None:
    assert len(views(photo("square"), CROPS, Preprocessing()).pictures) == 48
    assert len(views(photo("landscape"), CROPS, Preprocessing()).pictures) == 144
    seen = views(photo("square"), CROPS, Preprocessing())
    assert np.bincount(seen.place).tolist() == [3] * 48


def test_a_strip_is_cut_without_its_whole() -> None:
    """Resized to 352 as a whole it would have 7 million by 352 pixels."""
    strip = Image.new("RGB", (20_000, 1), (40, 90, 200))
    seen = views(strip, CROPS, Preprocessing())
    assert len(seen.pictures) == 144
    assert (seen.pictures == np.array([40, 90, 200])).all()


def test_of_a_strip_only_the_squares_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 400, 3), dtype=np.uint8))
    wanted = views(noise, CROPS, Preprocessing()).pictures
    monkeypatch.setattr(crops, "LONGEST", 1)
    found = views(noise, CROPS, Preprocessing()).pictures
    assert relative_norm(found, wanted) < 2e-2


def test_words_and_enlargement() -> None:
    assert square_names((3, 2)) == square_names((2, 2)) == ("left", "centre", "right")
    assert square_names((2, 3)) == ("top", "centre", "bottom")
    assert Crop(288, 0, "upper right", True).words((2, 3)) == "shorter side 288, top square, upper right, mirrored"
    assert enlarged_by((64, 90)) == 5.5
    assert enlarged_by((4000, 3000)) == 1.0


def test_another_side_of_the_network_scales_the_rule() -> None:
    size = (400, 300)
    assert crop_box(Crop(352, 2, "whole", False), size, 112) == (58, 0, 234, 176)
    assert crop_box(Crop(256, 0, "centre", False), size, 112) == (8, 8, 120, 120)
