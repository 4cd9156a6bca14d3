"""Finished pictures come back from their folder as they were; it stays small, and nothing in it is believed blindly."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inception_model.inference.classifier import Classifier
from inception_model.visualization.kept import KeptPictures
from inception_model.visualization.objectives import channel
from inception_model.visualization.result import Visualization
from inception_model.visualization.settings import Settings
from inception_model.visualization.visualizing import visualize

SETTINGS = Settings(steps=2, size=32, pictures=2)


@pytest.fixture(scope="module")
def made(tiny_classifier: Classifier) -> Visualization:
    objective = channel(tiny_classifier.checkpoint.spec, "3a:3x3:1")
    return visualize(tiny_classifier, [objective], SETTINGS)[0]


def test_a_result_comes_back_as_it_was(made: Visualization, tmp_path: Path) -> None:
    folder = KeptPictures(tmp_path / "new")
    assert folder.find("network", made.objective, SETTINGS) is None
    folder.keep("network", made)
    found = folder.find("network", made.objective, SETTINGS)
    assert found is not None
    assert np.array_equal(found.pixels, made.pixels)
    assert found.as_dict() == made.as_dict()
    assert found.pixels.shape == (2, 32, 32, 3)
    with Image.open(folder.path("network", made.objective, SETTINGS)) as image:
        assert image.size == (64, 32)


def test_another_network_objective_or_setting_is_another_picture(
    made: Visualization, tiny_classifier: Classifier, tmp_path: Path
) -> None:
    folder = KeptPictures(tmp_path)
    folder.keep("network", made)
    other = channel(tiny_classifier.checkpoint.spec, "3a:3x3:2")
    assert folder.find("another", made.objective, SETTINGS) is None
    assert folder.find("network", other, SETTINGS) is None
    assert folder.find("network", made.objective, replace(SETTINGS, seed=1)) is None
    assert folder.find("network", made.objective, SETTINGS) is not None


def test_the_folder_stays_within_its_bound_and_the_oldest_go_first(made: Visualization, tmp_path: Path) -> None:
    names = [f"network {number}" for number in range(6)]
    one = KeptPictures(tmp_path)
    one.keep(names[0], made)
    size = one.path(names[0], made.objective, SETTINGS).stat().st_size
    folder = KeptPictures(tmp_path, limit=int(3.5 * size))
    for age, name in enumerate(names[:3]):
        folder.keep(name, made)
        os.utime(folder.path(name, made.objective, SETTINGS), (age + 1, age + 1))
    assert folder.find(names[0], made.objective, SETTINGS) is not None  # looked at: now the youngest
    folder.keep(names[3], made)
    left = [name for name in names if folder.path(name, made.objective, SETTINGS).exists()]
    assert left == [names[0], names[2], names[3]]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3.5 * size


@pytest.mark.parametrize("damage", ["empty", "cut", "another size", "another text", "no text", "huge"])
def test_a_file_that_is_something_else_is_made_anew(made: Visualization, tmp_path: Path, damage: str) -> None:
    folder = KeptPictures(tmp_path)
    folder.keep("network", made)
    path = folder.path("network", made.objective, SETTINGS)
    data = path.read_bytes()
    if damage in ("another size", "no text"):
        Image.new("RGB", (64, 32) if damage == "no text" else (32, 32)).save(path)
    else:
        path.write_bytes(
            {
                "empty": b"",
                "cut": data[: len(data) // 2],
                "another text": data.replace(b"strengths", b"strongths"),
                "huge": data + bytes(9 * 2**20),
            }[damage]
        )
    assert folder.find("network", made.objective, SETTINGS) is None
    assert not path.exists()
    folder.keep("network", made)
    assert folder.find("network", made.objective, SETTINGS) is not None


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(made: Visualization, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    folder = KeptPictures(tmp_path / "file" / "below")
    folder.keep("network", made)
    assert folder.find("network", made.objective, SETTINGS) is None


def test_a_write_that_fails_leaves_nothing(
    made: Visualization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    KeptPictures(tmp_path).keep("network", made)
    assert not list(tmp_path.iterdir())


def test_the_folder_lies_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    assert KeptPictures().folder == tmp_path / "visualizations"
