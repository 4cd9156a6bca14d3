"""Pointing game, energy and rank: maps with known answers, photos with drawn boxes, batches beside `explain`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from inception_model.attribution import METHODS, AttributionError, explain
from inception_model.attribution.batched import enlarged, heatmaps
from inception_model.checkpoints.store import save
from inception_model.cli import main
from inception_model.cli.localize import summary
from inception_model.images.geometry import Box
from inception_model.images.preprocessing import Preprocessing
from inception_model.inference.classifier import Classifier
from inception_model.training.data import DatasetError, LabelledImages, open_dataset
from inception_model.trust import measuring
from inception_model.trust.intervals import mean_of_classes
from inception_model.trust.localization import (
    BoxJudge,
    box_in_view,
    coverage,
    energy_inside,
    hits,
    localize,
    peak,
    pixels_inside,
    rank_inside,
    read_boxes,
)
from tests.compare import relative_norm
from tests.random_networks import noise_images


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
    assert peak(heatmap, 224) == (30.5, 120.5)
    hit, energy, _ = BoxJudge(box, 224).of(heatmap)
    assert hit == 1
    assert energy == pytest.approx(2 / 3)
    heatmap[10, 200] = 3.0
    hit, energy, _ = BoxJudge(box, 224).of(heatmap)
    assert hit == 0
    assert energy == pytest.approx(2 / 5)
    assert BoxJudge(box, 224).of(-torch.ones(224, 224)) == (0.0, None, None)


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
    assert peak(coarse, 224) == (32 * column + 16, 32 * row + 16)
    middle = Box(32 * column + 15, 32 * row + 15, 32 * column + 17, 32 * row + 17)
    assert hits(*peak(coarse, 224), middle, 0)


def test_saliency_is_measured_as_published_the_others_as_sums(tiny_classifier: Classifier) -> None:
    x = noise_images(2, seed=4)
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
    x, classes = noise_images(3, seed=9), [4, 0, 6]
    methods = ("saliency", "input_x_gradient", "guided_backprop", "gradcam", "deeplift")
    found = heatmaps(exact_tiny_classifier, x, methods, head, classes)
    assert tuple(found) == methods
    for method in methods:
        for image, index, heatmap in zip(x, classes, found[method], strict=True):
            single = explain(exact_tiny_classifier, image[None], method, head, index)
            assert relative_norm(heatmap, single.heatmap) < 1e-5, method


def test_input_x_gradient_alone_is_the_same(tiny_classifier: Classifier) -> None:
    x = noise_images(2, seed=9)
    both = heatmaps(tiny_classifier, x, ("saliency", "input_x_gradient"), "aux1", [1, 2])["input_x_gradient"]
    alone = heatmaps(tiny_classifier, x, ("input_x_gradient",), "aux1", [1, 2])["input_x_gradient"]
    assert relative_norm(both, alone) < 1e-5


def test_enlarging_keeps_the_peak_and_leaves_full_maps_alone() -> None:
    coarse = torch.zeros(1, 7, 7)
    coarse[0, 2, 5] = 1
    x, y = peak(enlarged(coarse, 224)[0], 224)
    assert (x // 32, y // 32) == (5, 2)
    full = torch.randn(2, 8, 8)
    assert enlarged(full, 8) is full


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images in each of the seven classes of the tiny network, and a box file."""
    random = np.random.default_rng(0)
    lines = ["path,x0,y0,x1,y1"]
    for label in range(7):
        for number in range(2):
            path = tmp_path / "validation" / f"n{label:08d}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(path)
            # The first image's box is its left half, the second one's lies in the strip that the crop leaves out.
            corners = (0, 0, 24, 39) if number == 0 or label else (0, 0, 2, 39)
            lines.append(f"{path.relative_to(tmp_path)},{','.join(map(str, corners))}")
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    return tmp_path


def boxed(folder: Path) -> LabelledImages:
    return read_boxes(folder / "boxes.csv", open_dataset(folder, "validation"), folder)


def test_a_data_set_with_known_maps_has_known_rates(
    tiny_classifier: Classifier, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(_: Classifier, x: Tensor, methods: tuple[str, ...], head: str, classes: list[int], **__: object) -> dict:
        """Left for even classes, right for odd ones; at aux1 nothing speaks for the class."""
        maps = torch.zeros(len(x), 224, 224)
        for index, label in enumerate(classes):
            maps[index, 100, 10 if label % 2 == 0 else 213] = 1.0 if head == "main" else -1.0
        return dict.fromkeys(methods, maps)

    monkeypatch.setattr(measuring, "heatmaps", drawn)
    told: list[tuple[int, int]] = []
    found = localize(
        tiny_classifier,
        boxed(folder),
        ("saliency", "gradcam"),
        ("main", "aux1"),
        batch=4,
        progress=lambda done, total: told.append((done, total)),
    )
    told_of = summary(found)
    assert (told_of["images"], told_of["classes"], told_of["left_out"]) == (13, 7, 1)
    rows = found.rows()
    assert [(row.method, row.head) for row in rows] == [
        ("saliency", "main"),
        ("gradcam", "main"),
        ("saliency", "aux1"),
        ("gradcam", "aux1"),
        *((name, "none") for name in ("centre", "even", "random")),
    ]
    for row in rows[:2]:
        assert row.values["pointing"] == pytest.approx(4 / 7)  # classes 0, 2, 4, 6
        assert row.values["energy"] == pytest.approx(7 / 13)  # class 0 has one box in view, other even ones two
        assert row.empty == 0
        for name, value in row.values.items():
            assert row.intervals[name][0] < value < row.intervals[name][1]
    assert [(row.values["energy"], row.values["rank"], row.empty) for row in rows[2:4]] == [(0, 0, 13)] * 2
    # The box ends in the middle of the photo: a hit for the centre, and half of what is seen.
    assert rows[4].values["pointing"] == 1
    assert rows[5].values == pytest.approx({"energy": 0.5, "rank": 0.5})
    assert told == [(0, 14), (4, 14), (8, 14), (12, 14), (14, 14)]


def test_maps_can_be_made_for_what_the_head_predicts(
    tiny_classifier: Classifier, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, list[int]] = {"true": [], "predicted": []}
    images = boxed(folder).first(3)
    for aim, classes in asked.items():

        def watch(
            _: Classifier, x: Tensor, methods: list[str], head: str, wanted: list[int], to: list = classes, **__: object
        ) -> dict:
            to += wanted
            return dict.fromkeys(methods, torch.ones(len(x), 224, 224))

        monkeypatch.setattr(measuring, "heatmaps", watch)
        localize(tiny_classifier, images, ("saliency",), ("aux2",), aim=aim)  # type: ignore[arg-type]
    seen = [tiny_classifier.prepare(images[i][0]) for i in (0, 2)]  # the second one's box is out of view
    assert asked["true"] == [0, 1]
    assert asked["predicted"] == [int(tiny_classifier.heads_of(x).of("aux2").argmax()) for x in seen]


def test_the_command_measures_a_folder_and_prints_three_forms(
    tiny_classifier: Classifier, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = folder / "tiny.safetensors"
    save(tiny_classifier.checkpoint, checkpoint)
    words = ["localize", str(folder), "--boxes", str(folder / "boxes.csv"), "--checkpoint", str(checkpoint)]
    words += ["--device", "cpu", "--limit", "6", "--method", "gradcam", "--method", "saliency", "--head", "aux1"]
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["images"], answer["classes"]) == (6, 6)
    assert [row["method"] for row in answer["rows"]] == ["gradcam", "saliency"]
    assert all(0 <= row["pointing"] <= 1 and 0 <= row["energy"] <= 1 for row in answer["rows"])
    assert main([*words, "--markdown"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert "| method | head | pointing game | energy in the box | rank accuracy |" in table
    low, high = answer["rows"][0]["intervals"]["energy"]
    assert low < answer["rows"][0]["energy"] < high
    cell = f"{answer['rows'][0]['energy']:.1%} ({100 * low:.1f} to {100 * high:.1f})"
    assert any(line.startswith(f"| {METHODS['gradcam'].label} | aux1 | ") and cell in line for line in table)
    assert [line.split(" | ")[0] for line in table[-3:]] == ["| image centre", "| even map", "| random map"]
    assert main(words) == 0
    assert "rank" in capsys.readouterr().out


def test_spread_takes_images_from_everywhere(folder: Path) -> None:
    assert boxed(folder).spread(7).labels.tolist() == list(range(7))
    assert len(boxed(folder).spread(None)) == 14


def test_what_is_missing_is_said(tiny_classifier: Classifier, folder: Path) -> None:
    images = open_dataset(folder, "validation")
    with pytest.raises(DatasetError, match="need"):
        localize(tiny_classifier, images)
    with pytest.raises(AttributionError, match="saliency, input_x_gradient"):
        localize(tiny_classifier, boxed(folder), ["vibes"])
    with pytest.raises(AttributionError, match="aux1, aux2, main"):
        localize(tiny_classifier, boxed(folder), ["saliency"], ["aux3"])
    with pytest.raises(DatasetError, match="the network sees"):
        localize(tiny_classifier, LabelledImages(images.encoded[1:2], images.labels[1:2], boxed(folder).boxes[1:2]))
    for text, words in {
        "path,x0\na.png,1": "line 2 holds",
        "path,x0,y0,x1,y1\na.png,0,0,one,1": "line 2 holds",
        "path,x0,y0,x1,y1\na.png,0,0,1,1": "none of the 1 paths",
        "path,x0,y0,x1,y1\na.png,0,0,1,1\na.png,0,0,1,1": "one box per image",
    }.items():
        (folder / "wrong.csv").write_text(text)
        with pytest.raises(DatasetError, match=words):
            read_boxes(folder / "wrong.csv", images, folder)
    with pytest.raises(DatasetError, match="can't be read"):
        read_boxes(folder / "no.csv", images, folder)
