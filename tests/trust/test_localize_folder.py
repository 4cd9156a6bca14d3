"""A folder of images with boxes: rates of maps with known answers, the command, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from inception_model.attribution import METHODS, AttributionError
from inception_model.checkpoints.store import save
from inception_model.cli import main
from inception_model.cli.localize import summary
from inception_model.inference.classifier import Classifier
from inception_model.training.data import DatasetError, LabelledImages, open_dataset
from inception_model.trust import measuring
from inception_model.trust.localization import localize, read_boxes


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
