"""Classes are matched by their ids: a split without some of them numbers the others as the network does."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ExifTags, Image

from inception_model.architecture.labels import Label
from inception_model.cli import main
from inception_model.images.decode import read_photo
from inception_model.training.data import DatasetError, LabelledImages, open_dataset, read_labels

NAMES = ("ant", "bee", "cat", "dog")
LABELS = tuple(Label(index, name, name) for index, name in enumerate(NAMES))


def picture(shade: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def folder(root: Path, split: str, names: tuple[str, ...]) -> None:
    for name in names:
        (root / split / name).mkdir(parents=True)
        (root / split / name / "a.png").write_bytes(picture())


def test_a_split_that_lacks_a_class_keeps_the_others_numbers(tmp_path: Path) -> None:
    folder(tmp_path, "train", NAMES)
    folder(tmp_path, "validation", ("bee", "dog"))
    assert [label.wnid for label in read_labels(tmp_path)] == list(NAMES)
    assert open_dataset(tmp_path, "validation").labels.tolist() == [1, 3]


def test_a_folder_is_numbered_as_the_network_that_is_asked(tmp_path: Path) -> None:
    folder(tmp_path, "validation", ("bee", "dog"))
    assert open_dataset(tmp_path, "validation").labels.tolist() == [0, 1]
    assert open_dataset(tmp_path, "validation", LABELS).labels.tolist() == [1, 3]
    folder(tmp_path, "val", ("eel",))
    folder(tmp_path, "train", ("eel",))
    with pytest.raises(DatasetError, match=r"1 classes of the data \(eel\) are not among the 4"):
        open_dataset(tmp_path, "train", LABELS)


def test_parquet_labels_are_matched_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / "classes.tsv").write_text("label\twnid\twords\n0\tdog\tdog\n1\tbee\tbee\n2\teel\teel\n")
    images = [{"bytes": picture(), "path": None}] * 3
    table = pa.table({"image": images, "label": pa.array([0, 1, 0], pa.int16())})
    pq.write_table(table, tmp_path / "validation-00000-of-00001.parquet")
    assert open_dataset(tmp_path, "validation").labels.tolist() == [0, 1, 0]
    assert open_dataset(tmp_path, "validation", LABELS).labels.tolist() == [3, 1, 3]
    strange = pa.table({"image": images, "label": pa.array([0, 1, 2], pa.int16())})
    pq.write_table(strange, tmp_path / "validation-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match="eel"):
        open_dataset(tmp_path, "validation", LABELS)


def test_evaluate_on_a_folder_with_two_of_the_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bundled_checkpoint_labels: tuple[Label, ...]
) -> None:
    """A photo that the network gets right counts as right, whichever classes its data lack."""
    import json

    from inception_model.images.samples import sample_photo

    photo = sample_photo("espresso").image
    espresso = next(label.wnid for label in bundled_checkpoint_labels if "espresso" in label.words)
    (tmp_path / "validation" / espresso).mkdir(parents=True)
    photo.save(tmp_path / "validation" / espresso / "a.png")
    assert main(["evaluate", "--data", str(tmp_path), "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["heads"]["main"]["top1"] == 1.0


@pytest.fixture(scope="module")
def bundled_checkpoint_labels() -> tuple[Label, ...]:
    from inception_model.checkpoints.store import load

    return load("tiny-imagenet").labels


@pytest.mark.parametrize("kind", ["turned", "transparent", "sixteen bits", "cmyk"])
def test_data_are_decoded_as_photos_are(kind: str) -> None:
    rng, buffer = np.random.default_rng(0), io.BytesIO()
    pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    if kind == "turned":
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    elif kind == "transparent":
        Image.fromarray(np.dstack([pixels, pixels[..., :1]])).save(buffer, "PNG")
    elif kind == "sixteen bits":
        Image.fromarray(rng.integers(0, 65536, (20, 30)).astype(np.uint16)).save(buffer, "PNG")
    else:
        Image.fromarray(pixels).convert("CMYK").save(buffer, "TIFF")
    found = LabelledImages([buffer.getvalue()], np.array([0]))[0][0]
    wanted = read_photo(buffer.getvalue()).image
    assert np.array_equal(np.asarray(found), np.asarray(wanted))
    assert found.size == ((20, 30) if kind == "turned" else (30, 20))
