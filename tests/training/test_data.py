"""Training data in both layouts, what is held out of them, and what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inception_model.training.augmentation import RandomViews, View
from inception_model.training.data import DatasetError, LabelledImages, open_dataset, read_labels
from inception_model.training.holdout import hold_out, training_images
from inception_model.training.recipe import Stage
from tests.training.runs import coloured, config, png


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("folder"), np.random.default_rng(1)
    for split in ("train", "val"):
        for label, name in enumerate(("blue", "green", "red")):
            directory = root / split / name
            directory.mkdir(parents=True)
            for i in range(4):
                coloured(2 - label, rng).save(directory / f"{i}.png")
    return root


def test_both_layouts_are_read(parquet: Path, folder: Path) -> None:
    images = open_dataset(parquet, "train")
    assert len(images) == 48
    assert images.boxes is not None
    assert images.boxes.shape == (48, 4)
    image, label = images[25]
    assert image.size == (64, 64)
    assert label == 25 % 3
    assert len(images.first(5)) == 5
    assert [x.words for x in read_labels(parquet)] == ["red", "green", "blue"]
    validation = open_dataset(folder, "validation")
    assert len(validation) == 12
    assert [x.wnid for x in read_labels(folder)] == ["blue", "green", "red"]
    pixels, label = np.asarray(validation[0][0]), validation[0][1]
    assert label == 0
    assert pixels.mean((0, 1)).argmax() == 2  # the first class is blue


def test_wrong_data_say_what_is_missing(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        open_dataset(tmp_path / "nowhere", "train")
    with pytest.raises(DatasetError, match="holds neither"):
        open_dataset(tmp_path, "train")
    (tmp_path / "train").mkdir()
    with pytest.raises(DatasetError, match="no validation images"):
        open_dataset(tmp_path, "validation")
    pq.write_table(pa.table({"picture": [b""]}), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match="missing: image, label"):
        open_dataset(tmp_path, "train")
    none = pa.table({"image": pa.array([], pa.struct([("bytes", pa.binary())])), "label": pa.array([], pa.int64())})
    pq.write_table(none, tmp_path / "validation-00000-of-00001.parquet")
    with pytest.raises(
        DatasetError, match=r"has no validation images: validation-00000-of-00001\.parquet without a row"
    ):
        open_dataset(tmp_path, "validation")


def test_images_are_held_out_evenly(parquet: Path) -> None:
    images = open_dataset(parquet, "train")
    kept, held = hold_out(images, 9)
    assert held is not None
    assert np.bincount(held.labels).tolist() == [3, 3, 3]
    assert not {bytes(data) for data in kept.encoded} & {bytes(data) for data in held.encoded}
    assert len(kept) + len(held) == len(images)
    assert hold_out(images, 0) == (images, None)
    with pytest.raises(DatasetError, match="smaller --holdout"):
        hold_out(images, 48)


def test_bad_training_data_are_named_before_the_first_step(parquet: Path, tmp_path: Path) -> None:
    for name in ("red", "green", "blue"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "good.png").write_bytes(png(coloured(0, np.random.default_rng(0))))
    (tmp_path / "train" / "red" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"1 of 4 training images.*broken\.png.*remove or replace"):
        training_images(tmp_path, 3)
    (tmp_path / "train" / "red" / "broken.png").unlink()
    (tmp_path / "train" / "green" / "good.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 3 classes have no training image"):
        training_images(tmp_path, 3)


def test_an_image_that_breaks_off_is_named(tmp_path: Path) -> None:
    whole = png(coloured(0, np.random.default_rng(0)))
    images = LabelledImages([whole, whole[: len(whole) // 2]], np.array([0, 0]))
    views = RandomViews(images, View(Stage(48, 1.0), config()), seed=0)
    views[(0, 0)]
    with pytest.raises(DatasetError, match="image 1 of the training images"):
        views[(0, 1)]
