"""Whatever is wrong with a file is said, and nothing in it is run."""

from __future__ import annotations

import json
import pickle
import random
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save, save_file
from torch import Tensor

from inception_model.architecture.variants import tiny
from inception_model.checkpoints import safetensors_format
from inception_model.checkpoints.caffe import read_caffemodel
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.formats import read
from inception_model.checkpoints.store import load
from inception_model.images.preprocessing import Preprocessing
from tests.checkpoints.files import saved, tiny_checkpoint
from tests.weight_files import (
    blob,
    caffemodel,
    field,
    write,
)


def without(state: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    """All but one tensor."""
    return {name: value for name, value in state.items() if name != key}


class Opens:
    """Unpickling this writes a file, if code in the pickle is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


FC = torch.zeros(()).expand(1000, 1024)

STRANGE_STATES: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "a missing tensor": (lambda s: without(s, "inception4d.branch3.1.bn.bias"), r"1 tensors are missing: 4d\.5x5\.bn"),
    "half an aux head": (lambda s: without(s, "aux2.fc1.weight"), r"missing: aux2\.fc\.weight"),
    "an unknown tensor": (lambda s: s | {"extra.weight": FC}, r"1 tensors are unknown: \(extra\.weight\)"),
    "a clash of names": (lambda s: s | {"conv2_reduce.conv.weight": FC}, r"unknown: \(conv2_reduce"),
    "another shape": (lambda s: s | {"fc.weight": FC[:, :9]}, r"classifier\.weight is \(1000, 9\) and should be"),
    "no classifier": (lambda s: without(without(s, "fc.bias"), "fc.weight"), r"fc\.bias is missing"),
    "an endless classifier": (
        lambda s: s | {"fc.bias": torch.zeros(()).expand(10**12), "fc.weight": torch.zeros(()).expand(10**12, 1024)},
        r"fc\.bias has shape \(1000000000000,\)",
    ),
    "no number": (lambda s: s | {"fc.weight": FC * torch.nan}, r"classifier\.weight hold no finite numbers"),
    "integers": (lambda s: s | {"fc.weight": FC.long()}, r"classifier\.weight hold no finite numbers"),
    "complex numbers": (lambda s: s | {"fc.weight": FC.to(torch.complex64)}, r"hold no finite numbers"),
    "a sparse array": (lambda s: s | {"fc.weight": FC.to_sparse()}, r"hold no finite numbers"),
    "a tensor without content": (lambda s: s | {"fc.weight": FC.to("meta")}, r"no finite numbers"),
    "another network": (lambda s: {"layer1.0.conv1.weight": FC}, r"unknown tensor names \(layer1\.0\.conv1\.weight\)"),
    "an empty dictionary": (lambda s: {}, r"unknown tensor names \(\)"),
    "a list": (lambda s: [1, 2], r"a torch file that can't be read: it holds a list; a state dict is needed"),
    "settings": (
        lambda s: {"lr": 0.1, "epoch": 3},
        r"it is no state dict: lr, epoch hold no tensors \(2 of 2 entries\)",
    ),
    "a whole module": (
        lambda s: torch.nn.ReLU(),
        r"holds more than plain tensors, .* save `model\.state_dict\(\)` instead",
    ),
}


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize("name", STRANGE_STATES)
def test_a_strange_torch_file_is_refused(name: str, published: dict[str, Tensor], tmp_path: Path) -> None:
    change, message = STRANGE_STATES[name]
    path = saved(tmp_path / "strange.pth", change(published))
    with pytest.raises(CheckpointError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_torch_file_is_never_run(zipped: bool, tmp_path: Path) -> None:
    path, trace = tmp_path / "evil.pth", tmp_path / "was-here"
    if zipped:
        torch.save({"fc.weight": Opens(trace)}, path)
    else:
        path.write_bytes(pickle.dumps({"fc.weight": Opens(trace)}, protocol=2))
    with pytest.raises(CheckpointError, match="holds more than plain tensors"):
        read(path)
    assert not trace.exists()


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(2 << 20))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(
        CheckpointError, match=r"compressed entries \(2 MB once unpacked\); torch writes them uncompressed"
    ):
        read(path)


def one_layer(tensor: bytes, name: bytes = b"fc", kind: int = 14) -> bytes:
    """A NetParameter with a single V1 layer of one blob."""
    return field(1, b"net") + field(2, field(4, name) + field(5, kind) + field(6, tensor))


ONES = torch.ones(2, 3)

STRANGE_BYTES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "an empty file"),
    "text": (b"import torch\nprint('hello')\n", "a file of no known format"),
    "a web page": (b"<!DOCTYPE html><html>404</html>", "expected safetensors, a torch .pth or a Caffe .caffemodel"),
    "a pointer to a large file": (b"version https://git-lfs.github.com/spec/v1\n", "a file of no known format"),
    "names that are sentences": (
        save({"root:x:0:0:root:/root:/bin/sh": ONES, "x" * 200: ONES + 1}),
        rf"unknown tensor names \(a name of 29 characters, {'x' * 60}\.\.\.\)",
    ),
    "half a zip": (b"PK\x03\x04" + bytes(60), "it may be cut off"),
    "a header without end": ((1 << 60).to_bytes(8, "little") + b'{"a":', "safetensors file that can't be read"),
    "a header of nonsense": ((9).to_bytes(8, "little") + b"{nonsense", "safetensors file that can't be read"),
    "a cut protobuf": (one_layer(blob(ONES, legacy=True))[:-5], r"\d+ bytes promised, \d+ left"),
    "a protobuf that ends in a number": (field(1, b"net") + b"\x12\xff", "cut off in the middle of a number"),
    "an endless number": (field(1, b"net") + b"\xff" * 11, "a number of more than ten bytes"),
    "a protobuf group": (field(1, b"net") + b"\x0b", "wire type 3"),
    "no weights": (field(1, b"net") + field(2, field(4, b"data")), "1 Caffe layers and no weights"),
    "too few numbers": (one_layer(blob(ONES, legacy=False, dims=(20, 3))), r"says \(20, 3\) and holds 6 numbers"),
    "too many dimensions": (one_layer(blob(ONES, legacy=False, dims=(1,) * 40)), "more than 8 dimensions"),
    "half a number": (one_layer(field(5, b"abc")), "3 bytes, which is no whole count"),
    "another Caffe network": (one_layer(blob(ONES, legacy=False)), r"unknown tensor names \(fc\.weight\)"),
}


@pytest.mark.parametrize("name", STRANGE_BYTES)
def test_a_strange_file_is_refused(name: str, tmp_path: Path) -> None:
    content, message = STRANGE_BYTES[name]
    path = write(tmp_path / "strange", content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_file_too_large_to_be_a_googlenet_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(CheckpointError, match="2147 MB; the largest GoogLeNet"):
        read(path)


WIDE = asdict(replace(tiny(5), stem=replace(tiny().stem, conv2=13)))

STRANGE_METADATA: dict[str, tuple[str, str]] = {
    "spec not JSON": ("spec", "{"),
    "spec of another family": ("spec", '{"name": "vgg", "classes": 5}'),
    "no classes": ("spec", '{"name": "tiny", "classes": 0}'),
    "too many classes": ("spec", '{"name": "tiny", "classes": 1000000000}'),
    "spec whose layers don't fit": ("spec", json.dumps(WIDE)),
    "spec with another head": ("spec", json.dumps(asdict(tiny(5))).replace("aux1", "aux9")),
    "spec with an unknown field": ("spec", json.dumps(asdict(tiny(5)) | {"colour": "red"})),
    "endless preprocessing": ("preprocessing", json.dumps(asdict(Preprocessing()) | {"size": 10**9})),
    "crop beyond the image": ("preprocessing", json.dumps(asdict(Preprocessing()) | {"size": 300})),
    "division by zero": ("preprocessing", json.dumps(asdict(Preprocessing()) | {"std": [0, 1, 1]})),
    "two channels": ("preprocessing", json.dumps(asdict(Preprocessing()) | {"mean": [0, 1]})),
    "another interpolation": ("preprocessing", json.dumps(asdict(Preprocessing()) | {"interpolation": "magic"})),
    "unknown preprocessing": ("preprocessing", '{"zoom": 3}'),
    "labels out of order": ("labels", '[{"index": 1, "wnid": "n", "words": "w"}]'),
    "labels of another kind": ("labels", '["cat", "dog"]'),
    "too few labels": ("labels", '[{"index": 0, "wnid": "n", "words": "w"}]'),
    "an unknown head": ("heads_trained", '["main", "aux7"]'),
    "accuracy of another kind": ("accuracy", "[1, 2]"),
    "accuracy as text": ("accuracy", '{"main": {"top1": "0.47", "top5": 0.74}}'),
    "accuracy above one": ("accuracy", '{"main": {"top1": 47.0, "top5": 74.0}}'),
    "accuracy without its parts": ("accuracy", '{"main": 0.47}'),
    "accuracy of an unknown head": ("accuracy", '{"aux7": {"top1": 0.4, "top5": 0.7}}'),
}


def test_eight_bit_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "eight.safetensors"
    safetensors_format.write(tiny_checkpoint(), path)
    with safe_open(path, "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    key = next(key for key, value in tensors.items() if value.ndim == 4)
    save_file({**tensors, key: tensors[key].to(torch.float8_e4m3fn)}, path, metadata)
    with pytest.raises(CheckpointError, match=f"{key} hold no finite numbers in a plain array"):
        read(path)


@pytest.mark.parametrize("name", STRANGE_METADATA)
def test_strange_metadata_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, value = STRANGE_METADATA[name]
    path = tmp_path / "strange.safetensors"
    monkeypatch.setattr(
        safetensors_format,
        "save_file",
        lambda tensors, file, metadata: save_file(tensors, file, metadata | {key: value}),
    )
    safetensors_format.write(tiny_checkpoint(), path)
    with pytest.raises(CheckpointError, match=f"{key}'? is wrong|1 labels for 5 classes") as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_metadata_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_file({"a": torch.ones(1)}, path, {"format": safetensors_format.FORMAT})
    with pytest.raises(CheckpointError, match=r"the metadata lack 'spec' \(found: format\)"):
        read(path)


def whole_files(folder: Path) -> dict[str, bytes]:
    """A small file of every container."""
    path = folder / "whole"
    safetensors_format.write(tiny_checkpoint(), path)
    files = {"safetensors": path.read_bytes()}
    for name, zipped in (("torch", True), ("older torch", False)):
        torch.save({"fc.weight": ONES, "fc.bias": ONES[0]}, path, _use_new_zipfile_serialization=zipped)
        files[name] = path.read_bytes()
    layers = {"a": (ONES, torch.ones(2)), "b": (ONES[:, :, None], ONES[0])}
    return files | {f"caffe {version}": caffemodel(layers, version) for version in (1, 2)}


@pytest.mark.parametrize("container", ["safetensors", "torch", "older torch", "caffe 1", "caffe 2"])
def test_damage_anywhere_is_an_error_or_a_readable_file(container: str, tmp_path: Path) -> None:
    """Cuts and flipped bytes at random places: never another exception, a hang or a crash."""
    path, whole = tmp_path / "damaged", whole_files(tmp_path)[container]
    dice = random.Random(container)
    refused = 0
    for _ in range(80):
        damaged = bytearray(whole[: dice.randrange(1, len(whole))] if dice.random() < 0.3 else whole)
        for _ in range(dice.randrange(1, 4)):
            # Headers lie at the beginning, an archive's list of entries at the end.
            last = min(len(damaged), 1000)
            at = dice.choice((dice.randrange(len(damaged)), dice.randrange(last), -1 - dice.randrange(last)))
            damaged[at] = dice.randrange(256)
        path.write_bytes(damaged)
        try:
            read(path)
        except CheckpointError:
            refused += 1
    assert refused > 20


def test_protobuf_numbers_may_come_one_by_one_and_as_doubles(tmp_path: Path) -> None:
    path = tmp_path / "small.caffemodel"
    single = b"".join(b"\x2d" + ONES.flatten().numpy()[i : i + 1].tobytes() for i in range(6))  # field 5, fixed32
    message = one_layer(field(7, field(1, 2) + field(1, 3)) + single)
    assert torch.equal(read_caffemodel(write(path, message))["fc.weight"].read(), ONES)
    doubled = caffemodel({"fc": (ONES * 0.1, ONES[0])}, 1, double=True)
    assert torch.equal(read_caffemodel(write(path, doubled))["fc.weight"].read(), (ONES * 0.1).double())


def test_there_is_no_such_file() -> None:
    with pytest.raises(
        CheckpointError, match=r"no checkpoint 'nowhere\.pth': .* \(tiny-imagenet, torchvision-imagenet"
    ):
        load("nowhere.pth")


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is neither a file nor"):
        load(tmp_path)
