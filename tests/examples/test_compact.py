"""The small file of an index: it says what the folder says, belongs to one checkpoint, and damage is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.cli import main
from inception_model.examples.compact import MAX_BYTES, compact_path, load_compact
from inception_model.examples.index import Index, load_index
from inception_model.examples.shards import KINDS
from inception_model.inference.classifier import Classifier
from tests.compare import assert_close

from .made import image_folder, small_network

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Index, Path]:
    """A network, its index, and the small file that the command has written beside the network's."""
    folder = tmp_path_factory.mktemp("compact")
    classifier, data = small_network(folder), image_folder(folder / "data")
    file = folder / "small0.safetensors"
    out = folder / "index"
    command = ["index", str(data), "--out", str(out), "--checkpoint", str(file), "--compact", str(compact_path(file))]
    assert main(command) == 0
    return classifier, load_index(out, classifier.checkpoint), compact_path(file)


def changed(path: Path, to: Path, change: Callable[[Tensors, dict[str, str]], object]) -> Path:
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, to, metadata)
    return to


def test_the_small_file_says_what_the_folder_says(made: tuple[Classifier, Index, Path]) -> None:
    classifier, index, path = made
    found = load_compact(path, classifier.checkpoint)
    for name in ("sha256", "data", "source", "split", "limit", "used"):
        assert getattr(found, name) == getattr(index, name)
    for name in ("quantiles", "means", "silent"):
        assert_close(getattr(found, name), getattr(index, name), 1e-3)
    for name in ("labels", "sizes"):
        assert np.array_equal(getattr(found, name), getattr(index, name))
    for head in classifier.trained_heads:
        assert np.array_equal(found.answers[head], index.answers[head])
        assert_close(found.probabilities[head], index.probabilities[head], 1e-3)
    for kind in KINDS:
        for place in index.channels.places:
            ours, theirs = found.examples(kind, place, 0), index.examples(kind, place, 0)
            assert [replace(each, value=0) for each in ours] == [replace(each, value=0) for each in theirs]
            assert_close([each.value for each in ours], [each.value for each in theirs], 1e-3)
    assert found.map is not None
    assert index.map is not None
    assert_close(found.map.points, index.map.points, 2e-3)
    assert found.sample is not None
    assert index.sample is not None
    assert np.array_equal(found.sample.images, index.sample.images)
    assert_close(found.sample.peaks, index.sample.peaks, 1 / 255)
    features = np.abs(np.random.default_rng(2).normal(size=len(index.map.mean))).astype(np.float32)
    assert_close(found.map.place(features), index.map.place(features), 5e-3)


def test_it_holds_no_pixel_and_no_name(made: tuple[Classifier, Index, Path]) -> None:
    content = made[2].read_bytes()
    assert b".png" not in content
    assert str(made[2].parent).encode() not in content


def test_that_of_another_checkpoint_is_refused(made: tuple[Classifier, Index, Path], tmp_path: Path) -> None:
    other = small_network(tmp_path, seed=1).checkpoint
    with pytest.raises(CheckpointError, match="it is about a checkpoint with sha256"):
        load_compact(made[2], other)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, told: tensors.pop("quantiles"),
        lambda tensors, told: tensors.update(quantiles=tensors["quantiles"][:, :5].contiguous()),
        lambda tensors, told: tensors["quantiles"].neg_(),
        lambda tensors, told: tensors["means"].fill_(float("nan")),
        lambda tensors, told: tensors["activation.images"].fill_(10_000),
        lambda tensors, told: tensors["sizes"].zero_(),
        lambda tensors, told: tensors["relevance.rows"].fill_(-4),
        lambda tensors, told: tensors["main.classes"].fill_(3),
        lambda tensors, told: tensors.update(labels=tensors["labels"].half()),
        lambda tensors, told: tensors.update({"map.axes": tensors["map.axes"][:1].contiguous()}),
        lambda tensors, told: tensors["sample.images"].fill_(10_000),
        lambda tensors, told: tensors.update({"sample.peaks": tensors["sample.peaks"][:, :7].contiguous()}),
        lambda tensors, told: told.update(told="{"),
        lambda tensors, told: told.update(told=told["told"].replace('"used": 10', '"used": -1')),
        lambda tensors, told: told.update(shares="[0, 1]"),
    ],
)  # fmt: skip
def test_a_damaged_one_is_refused(
    made: tuple[Classifier, Index, Path], tmp_path: Path, change: Callable[[Tensors, dict[str, str]], object]
) -> None:
    path = changed(made[2], tmp_path / "bad.safetensors", change)
    with pytest.raises(CheckpointError, match=r"the examples in bad\.safetensors can't be used: the file is damaged"):
        load_compact(path, made[0].checkpoint)


def test_what_is_none_is_refused(made: tuple[Classifier, Index, Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="it is no index"):
        load_compact(made[2].with_name("small0.safetensors"), made[0].checkpoint)
    large = tmp_path / "large.safetensors"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(CheckpointError, match="the limit is"):
        load_compact(large, made[0].checkpoint)
