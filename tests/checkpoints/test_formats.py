"""Files of every format and the published structure become checkpoints, and their classes get their labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models._meta import _IMAGENET_CATEGORIES

from inception_model.architecture.labels import Label
from inception_model.architecture.variants import get_spec, tiny
from inception_model.checkpoints import safetensors_format
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.checkpoints.formats import FORMATS, imagenet_labels, inception5h_labels, read
from inception_model.checkpoints.metadata import spec_from_json
from inception_model.checkpoints.store import save
from inception_model.images.preprocessing import CAFFE, INCEPTION5H, TORCHVISION
from tests.checkpoints.files import saved, tiny_checkpoint
from tests.random_networks import noise_images
from tests.weight_files import (
    caffe_layers,
    caffemodel,
    expanded,
    functional_caffe,
    functional_inception5h,
    inception5h_layers,
    state_dict,
    torchvision_network,
    write,
)

Relative = Callable[[Tensor, Tensor], float]


# --- the formats


def test_own_files_come_back_as_they_were(tmp_path: Path) -> None:
    made = tiny_checkpoint()
    path = tmp_path / "mine.safetensors"
    found = save(made, path)
    assert replace(found, state={}, sha256="") == replace(made, state={})
    assert len(found.sha256) == 64
    assert replace(read(path), state={}) == replace(found, state={}, name="mine")
    for key, value in made.state.items():
        assert torch.equal(found.state[key].float(), value.half().float()), key
    assert all(value.dtype == torch.float16 for key, value in found.state.items() if "tracked" not in key)
    assert path.stat().st_mode & 0o044, "others must be able to read it"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.safetensors"]


def test_only_a_spec_that_is_no_published_one_is_written_out() -> None:
    assert json.loads(safetensors_format.spec_to_json(get_spec("batchnorm", 200))) == {
        "name": "batchnorm",
        "classes": 200,
    }
    changed = replace(get_spec("inception5h"), dropout=0.1)
    for spec in (get_spec("torchvision", 7), changed, tiny(batch_norm=0.1)):
        assert spec_from_json(safetensors_format.spec_to_json(spec)) == spec


def test_torchvisions_published_file(published: dict[str, Tensor], tmp_path: Path) -> None:
    assert len(published) == 364
    found = read(saved(tmp_path / "googlenet-1378be20.pth", published))
    assert found.spec == get_spec("torchvision", 1000)
    assert found.heads_trained == ("main",)
    assert "not trained" in found.source
    assert found.preprocessing == TORCHVISION
    assert len(found.labels) == 1000
    assert found.name == "googlenet-1378be20"


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_fine_tuned_torchvision_file(wrapper: str | None, tmp_path: Path) -> None:
    state = {f"module.{k}": v for k, v in expanded(torchvision_network(12, aux=False).state_dict()).items()}
    content = state if wrapper is None else {wrapper: state, "epoch": 3}
    found = read(saved(tmp_path / "mine.pt", content))
    assert found.spec == replace(get_spec("torchvision", 12), aux=())
    assert found.heads_trained == ("main",)
    assert found.labels == ()
    assert found.label(3) == Label(3, "", "class 3")


def test_the_container_does_not_matter(published: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "googlenet.safetensors"
    save_file({key: value.contiguous() for key, value in published.items()}, path)
    assert read(path).spec == get_spec("torchvision", 1000)


@pytest.mark.parametrize("version", [1, 2])
def test_caffes_file_is_caffes_network(version: int, tmp_path: Path, relative: Relative) -> None:
    layers = caffe_layers(30, seed=version)
    assert len(layers) == 64
    found = read(write(tmp_path / "bvlc_googlenet.caffemodel", caffemodel(layers, version)))
    assert found.spec == get_spec("paper", 30)
    assert found.heads_trained == ("aux1", "aux2", "main")
    assert found.preprocessing == CAFFE
    assert sum(value.numel() for value in found.state.values()) == sum(
        tensor.numel() for pair in layers.values() for tensor in pair
    )
    x = noise_images(1)
    with torch.no_grad():
        wanted, heads = functional_caffe(layers, x), found.network().forward_heads(x)
    for ours, theirs in (("aux1", "loss1"), ("aux2", "loss2"), ("main", "loss3")):
        assert relative(getattr(heads, ours), wanted[theirs]) < 1e-5


def test_a_caffe_file_without_aux_heads(tmp_path: Path) -> None:
    layers = caffe_layers(1000, aux=False)
    found = read(write(tmp_path / "deploy.caffemodel", caffemodel(layers, 2)))
    assert found.spec.heads == found.heads_trained == ("main",)
    assert [label.wnid for label in found.labels] == [label.wnid for label in imagenet_labels()]


def test_captums_inception5h_is_tensorflows_network(tmp_path: Path, relative: Relative) -> None:
    layers = inception5h_layers()
    found = read(saved(tmp_path / "inception5h.pth", state_dict(layers)))
    assert found.spec == get_spec("inception5h", 1008)
    assert found.heads_trained == ("main",)
    assert found.preprocessing == INCEPTION5H
    x = 40 * noise_images(1)
    with torch.no_grad():
        assert relative(found.network()(x), functional_inception5h(layers, x)) < 1e-5


def test_every_format_names_each_layer_once() -> None:
    for format_ in FORMATS.values():
        if format_.names is not None:
            assert len(set(format_.names.values())) == len(format_.names)


# --- labels


def test_imagenets_labels_are_torchvisions_in_order() -> None:
    labels = imagenet_labels()
    assert [label.index for label in labels] == list(range(1000))
    assert [label.wnid for label in labels] == sorted({label.wnid for label in labels})
    renamed = {"crane bird": "crane", "maillot tank suit": "maillot, tank suit"}  # torchvision made them unique
    for label, name in zip(labels, _IMAGENET_CATEGORIES, strict=True):
        assert renamed.get(name, name).lower() in label.words.lower()


def test_imagenets_labels_agree_with_the_bundled_checkpoints(bundled_checkpoint: Checkpoint) -> None:
    by_wnid = {label.wnid: label.words for label in imagenet_labels()}
    assert {label.wnid: label.words for label in bundled_checkpoint.labels}.items() <= by_wnid.items()
    assert len(bundled_checkpoint.labels) == 200


def test_inception5h_counts_in_ilsvrcs_own_order() -> None:
    labels = inception5h_labels()
    assert [label.index for label in labels] == list(range(1008))
    known = {1: "kit fox", 2: "English setter", 65: "hartebeest", 450: "goldfish", 836: "cardigan", 1000: "dumbbell"}
    for index, words in known.items():
        assert labels[index].words.split(",")[0] == words
    assert sorted(label.wnid for label in labels[1:1001]) == [label.wnid for label in imagenet_labels()]
    unused = [label.index for label in labels if not label.wnid]
    assert unused == [0, *range(1001, 1008)]
    assert imagenet_labels(12) == inception5h_labels(1000) == ()
