"""What needs the extras: shards by two workers of a local Ray cluster, and a map by UMAP.

`make extras-check` installs both and runs these tests, which are collected nowhere else (tests/conftest.py). That the
command names a missing extra is tested in `test_index.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from inception_model.examples.building import Data, build_index
from inception_model.examples.index import load_index
from inception_model.examples.mapping import NEIGHBOURS, place_images
from inception_model.examples.ray_engine import Task, ray_engine
from inception_model.examples.shards import lists
from inception_model.inference.classifier import Classifier

from .made import BROKEN, image_folder, small_network

Made = tuple[Classifier, Data, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("extras")
    return small_network(folder), Data(image_folder(folder / "data"), "validation"), folder / "small0.safetensors"


def test_two_workers_find_what_one_process_finds(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inception_model.examples.shards.SHARD", 5)
    classifier, data, file = made
    engine = ray_engine(Task(str(file), "cpu", "float32", data), workers=2)
    seen: list[int] = []
    found = build_index(classifier, data, tmp_path / "ray", engine=engine, progress=lambda done, _: seen.append(done))
    wanted = build_index(classifier, data, tmp_path / "local")
    summary = found.summary()
    assert (seen[0], seen[-1]) == (0, 12)
    assert summary is not None
    assert summary == wanted.summary()
    assert [name for name, _ in summary.broken] == list(BROKEN)
    for name in ("images", "examples", "channels"):
        ours, theirs = (pq.read_table(tmp_path / way / f"{name}.parquet") for way in ("ray", "local"))
        assert ours.equals(theirs), name


def test_umap_places_a_photo_among_its_nearest_images(made: Made, tmp_path: Path) -> None:
    classifier, data, _ = made
    folder = build_index(classifier, data, tmp_path)
    assert place_images(folder, "umap").map == "umap"
    known = load_index(tmp_path, classifier.checkpoint).map
    assert known is not None
    assert known.points.shape == (10, 2)
    assert np.isfinite(known.points).all()
    features = lists(pq.read_table(tmp_path / "images.parquet").column("features"), np.float32)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    nearest = np.argsort(-unit @ unit[3])[:NEIGHBOURS]
    assert known.place(features[3]) == tuple(np.median(known.points[nearest], axis=0).tolist())
