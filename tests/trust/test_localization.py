"""Pointing game, energy and rank of maps with known answers, photos with drawn boxes, batches beside `explain`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from inception_model.attribution import explain
from inception_model.attribution.batched import enlarged, heatmaps
from inception_model.images.geometry import Box
from inception_model.images.preprocessing import Preprocessing
from inception_model.inference.classifier import Classifier
from inception_model.trust.intervals import mean_of_classes
from inception_model.trust.localization import (
    BoxJudge,
    box_in_view,
    coverage,
    energy_inside,
    hit_share,
    hits,
    peaks,
    pixels_inside,
    rank_inside,
)
from tests.compare import relative_norm
from tests.random_networks import SMALL, noise_images


def test_a_hit_may_miss_by_the_tolerance_but_no_more() -> None:
    box = Box(50, 60, 100, 90)
    assert hits(75, 75, box, 0)
    assert hits(50, 60, box, 0)
    assert hits(35, 75, box)
    assert not hits(34.99, 75, box)
    assert hits(100 + 9, 90 + 12, box)  # 9, 12, 15: the distance to the corner is exactly 15
    assert not hits(100 + 9.1, 90 + 12, box)


def test_a_synthetic_map_points_inside_or_outside() -> None:
    heatmap, box = torch.zeros(224, 224), Box(20, 100, 60, 140)
    heatmap[120, 30] = 2.0
    heatmap[10, 200] = 1.0
    heatmap[0, 0] = -5.0
    assert peaks(heatmap, 224) == [(30.5, 120.5)]
    hit, energy, _ = BoxJudge(box, 224).of(heatmap)
    assert hit == 1
    assert energy == pytest.approx(2 / 3)
    heatmap[10, 200] = 3.0
    hit, energy, _ = BoxJudge(box, 224).of(heatmap)
    assert hit == 0
    assert energy == pytest.approx(2 / 5)
    assert BoxJudge(box, 224).of(-torch.ones(224, 224)) == (0.0, None, None)


def test_all_of_a_plateau_points() -> None:
    """Occlusion and superpixels give the same value to a whole window: its first pixel lies in its corner."""
    patch = torch.zeros(224, 224)
    patch[80:144, 80:144] = 1.0
    middle = Box(96, 96, 128, 128)
    assert hit_share(patch, 224, middle, 0) == 32**2 / 64**2
    assert BoxJudge(Box(80, 80, 144, 144), 224).of(patch)[0] == 1
    wide = BoxJudge(middle, 224).of(patch)[0]
    assert wide is not None
    assert 0.85 < wide < 0.9, "a rim of a pixel and the corners lie further off than 15 pixels"
    assert BoxJudge(Box(0, 0, 20, 20), 224).of(patch)[0] == 0
    two = torch.zeros(7, 7)
    two[1, 1] = two[5, 5] = 2.0
    assert hit_share(two, 224, Box(32, 32, 64, 64), 0) == 0.5


def test_an_even_map_points_nowhere() -> None:
    everywhere = BoxJudge(Box(0, 0, 224, 224), 224)
    assert everywhere.of(torch.full((7, 7), 3.0))[0] == 0
    assert everywhere.of(torch.zeros(7, 7))[0] == 0


def test_rank_counts_the_boxs_pixels_among_the_strongest() -> None:
    """Beside numpy's sort: K pixels in the box, how many of the K largest values lie there?"""
    values = np.random.default_rng(5).permutation(64).reshape(8, 8) - 20.0  # no two alike, 20 of them not positive
    box = Box(1.4, 0, 5, 4.6)  # centres of columns 1.5 to 4.5 and of rows 0.5 to 4.5
    inside = np.zeros((8, 8), dtype=bool)
    inside[0:5, 1:5] = True
    strongest = np.argsort(-values.ravel())[:20]
    assert np.array_equal(pixels_inside(box, 8).numpy(), inside)
    wanted = inside.ravel()[strongest].mean()
    assert rank_inside(torch.tensor(values), box) == pytest.approx(wanted, rel=1e-12)


def test_equal_values_rank_by_chance() -> None:
    box = Box(0, 0, 4, 4)
    assert rank_inside(torch.ones(8, 8), box) == pytest.approx(16 / 64, rel=1e-12)
    spot = torch.zeros(8, 8)
    spot[1, 1] = 3.0
    # One is sure to be inside; the other fifteen of sixteen are drawn from 63 pixels, of which 15 are inside.
    assert rank_inside(spot, box) == pytest.approx((1 + 15 * 15 / 63) / 16, rel=1e-12)
    assert rank_inside(-spot, box) is None


def test_a_box_thinner_than_a_pixel_still_has_pixels() -> None:
    hair = Box(3.6, 0, 3.9, 8)  # no centre of a pixel lies in it
    inside = pixels_inside(hair, 8)
    assert inside.nonzero()[:, 1].tolist() == [3] * 8
    line = torch.zeros(8, 8)
    line[:, 3] = 1.0
    assert rank_inside(line, hair) == 1


def test_baselines_need_no_network() -> None:
    judge = BoxJudge(Box(100, 100, 124, 124), 224)
    area = 24**2 / 224**2
    assert judge.baseline("even", 0) == (None, pytest.approx(area), pytest.approx(area))
    hit, energy, rank = judge.baseline("centre", 0)
    assert (hit, energy) == (1, 1)
    assert rank is not None
    assert 0.85 < rank < 0.95  # a disc of a square's area leaves its corners out: 0.905
    away = BoxJudge(Box(0, 0, 40, 40), 224).baseline("centre", 0)
    assert away == (0, 0, 0)
    random = judge.baseline("random", 4)
    assert random == judge.baseline("random", 4) != judge.baseline("random", 5)
    assert random[1] == pytest.approx(area, rel=0.2)


def test_thin_photos_keep_their_boxes() -> None:
    """A photo a hundred times as wide as high: only its middle is seen, and a box there fills what is seen of it."""
    view = Preprocessing()
    box = box_in_view(view, (2000, 20), Box(995, 0, 1000, 20))
    assert (box.left, box.right) == pytest.approx((112 - 64, 112), rel=1e-9)
    assert (box.top, box.bottom) == (0, 224)
    gone = box_in_view(view, (2000, 20), Box(0, 0, 50, 20))
    assert gone.width <= 0


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (6, 6), (3, 0)])
def test_a_coarse_map_points_at_the_middle_of_its_cell(row: int, column: int) -> None:
    """Enlarged bilinearly, cells at the border become plateaus whose first pixel is up to 15.5 pixels off."""
    coarse = torch.zeros(7, 7)
    coarse[row, column] = 1.0
    assert peaks(coarse, 224) == [(32 * column + 16, 32 * row + 16)]
    middle = Box(32 * column + 15, 32 * row + 15, 32 * column + 17, 32 * row + 17)
    assert hit_share(coarse, 224, middle, 0) == 1


def test_saliency_is_measured_as_published_the_others_as_sums(tiny_classifier: Classifier) -> None:
    x = noise_images(2, seed=4, side=SMALL)
    for method in ("saliency", "gradcam", "input_x_gradient"):
        found = heatmaps(tiny_classifier, x, (method,), "main", [1, 2], published=True)[method]
        for image, index, heatmap in zip(x, (1, 2), found, strict=True):
            values = explain(tiny_classifier, image[None], method, "main", index).values
            wanted = values.abs().amax(0) if method == "saliency" else values.sum(0)
            assert relative_norm(heatmap, wanted) < 1e-4, method


def test_energy_counts_parts_of_pixels_and_an_even_map_gives_the_area() -> None:
    box = Box(1.25, 0.5, 3.5, 2.0)
    wanted = torch.tensor([[0, 0.75, 1, 0.5]] * 2, dtype=torch.float64) * torch.tensor([[0.5], [1.0]])
    assert torch.equal(coverage(box, 4)[:2], wanted)
    assert float(coverage(box, 4).sum()) == box.width * box.height
    assert energy_inside(torch.full((4, 4), 0.1), box) == pytest.approx(box.width * box.height / 16)


def test_classes_weigh_the_same_however_many_images_they_have() -> None:
    assert mean_of_classes([1, 1, 1, 0], [7, 7, 7, 2]) == 0.5
    assert mean_of_classes([1, 0, 0], [7, 7, 2]) == 0.25


@pytest.mark.parametrize("preprocessing", [Preprocessing(), Preprocessing(resize=224, interpolation="bicubic")])
@pytest.mark.parametrize(
    ("size", "corners"), [((300, 200), (120, 60, 179, 99)), ((200, 300), (0, 0, 149, 89)), ((64, 64), (4, 8, 63, 63))]
)
def test_a_box_moves_with_the_photo_through_resize_and_crop(
    preprocessing: Preprocessing, size: tuple[int, int], corners: tuple[int, int, int, int]
) -> None:
    x0, y0, x1, y1 = corners
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[y0 : y1 + 1, x0 : x1 + 1] = 255
    seen = np.asarray(preprocessing.crop(Image.fromarray(pixels)))[..., 0] > 127
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    box = box_in_view(preprocessing, size, Box(x0, y0, x1 + 1, y1 + 1))
    found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    wanted = (box.left, box.top, box.right, box.bottom)
    assert np.abs(np.subtract(found, wanted)).max() <= 1  # a pixel


@pytest.mark.parametrize("head", ["main", "aux1"])
def test_batches_equal_one_image_after_the_other(exact_tiny_classifier: Classifier, head: str) -> None:
    x, classes = noise_images(3, seed=9, side=SMALL), [4, 0, 6]
    methods = ("saliency", "input_x_gradient", "guided_backprop", "gradcam", "deeplift")
    found = heatmaps(exact_tiny_classifier, x, methods, head, classes)
    assert tuple(found) == methods
    for method in methods:
        for image, index, heatmap in zip(x, classes, found[method], strict=True):
            single = explain(exact_tiny_classifier, image[None], method, head, index)
            assert relative_norm(heatmap, single.heatmap) < 1e-5, method


def test_input_x_gradient_alone_is_the_same(tiny_classifier: Classifier) -> None:
    x = noise_images(2, seed=9, side=SMALL)
    both = heatmaps(tiny_classifier, x, ("saliency", "input_x_gradient"), "aux1", [1, 2])["input_x_gradient"]
    alone = heatmaps(tiny_classifier, x, ("input_x_gradient",), "aux1", [1, 2])["input_x_gradient"]
    assert relative_norm(both, alone) < 1e-5


def test_enlarging_keeps_the_peak_and_leaves_full_maps_alone() -> None:
    coarse = torch.zeros(1, 7, 7)
    coarse[0, 2, 5] = 1
    places = peaks(enlarged(coarse, 224)[0], 224)
    assert {(x // 32, y // 32) for x, y in places} == {(5, 2)}
    full = torch.randn(2, 8, 8)
    assert enlarged(full, 8) is full
