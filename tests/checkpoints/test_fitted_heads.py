"""The file of heads beside the weights: what was saved comes back, and what is wrong is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.spec import HEADS
from inception_model.architecture.variants import tiny
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError, file_sha256
from inception_model.checkpoints.fitted_heads import load_fitted_heads, save_fitted_heads, with_former
from inception_model.checkpoints.store import heads_path, load, save
from inception_model.cli import main
from inception_model.training.evaluation import HeadAccuracy
from inception_model.training.fitted import FitSettings, FittedHeads
from tests.checkpoints.hostile.safetensors_files import safetensors
from tests.random_networks import random_classifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both files lie as they were made."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def bare(folder: Path) -> Checkpoint:
    """A network with batch norm of whose heads only main was trained, as it was read back from its file."""
    made = random_classifier(tiny(batch_norm=1e-5), trained=("main",)).checkpoint
    found = save(replace(made, card="# A card"), folder / "bare.safetensors").with_name("bare")
    save_fitted_heads(heads_for(found), heads_path(folder / "bare.safetensors"))
    return found


@pytest.fixture
def path(bare: Checkpoint, folder: Path, tmp_path: Path) -> Path:
    """Heads for it, beside it: copies for one test."""
    return heads_path(shutil.copytree(folder, tmp_path / "copies") / "bare.safetensors")


def heads_for(checkpoint: Checkpoint) -> FittedHeads:
    """Random ones, in numbers that float16 can store."""
    network = init_weights(GoogLeNet(checkpoint.spec), seed=5).half().float()
    state = {k: v for k, v in network.state_dict().items() if k.startswith("aux")}
    accuracy = {"aux1": HeadAccuracy(0.25, 0.75), "aux2": HeadAccuracy(0.375, 0.875)}
    settings = FitSettings(30.0, 128, 0.05, 7)
    return FittedHeads(checkpoint.sha256, accuracy, 9000, 500, 6, settings, "made <b>of</b> noise", state)


def test_what_was_saved_comes_back(bare: Checkpoint, path: Path) -> None:
    saved, found = heads_for(bare), load_fitted_heads(path, bare)
    for name in ("checkpoint", "accuracy", "training", "held_out", "classes", "settings", "source", "heads"):
        assert getattr(found, name) == getattr(saved, name)
    assert found.sha256 == file_sha256(path)
    assert found.state.keys() == saved.state.keys()
    assert all(torch.equal(found.state[key].float(), saved.state[key].float()) for key in saved.state)
    assert path.stat().st_mode & 0o777 == 0o644


def test_load_takes_them_and_says_so(bare: Checkpoint, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = path.with_name("bare.safetensors")
    found = load(file)
    assert found.heads_trained == HEADS
    assert found.fitted is not None
    assert torch.equal(found.state["aux2.fc.weight"], found.fitted.state["aux2.fc.weight"])
    assert found.card.startswith("# A card\n\n## Heads fitted afterwards\n")
    for words in ("9,000 images of 6 classes", "500 held-out images", "aux1 top-1 25.0%, top-5 75.0%", "seed 7"):
        assert words in found.card
    assert load(file, fitted=False).heads_trained == ("main",)
    assert main(["checkpoints", "show", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["heads_fitted"] == found.fitted.words
    assert told["heads_untrained"] == []
    # Saved under another name it carries all three heads, and needs no file beside it.
    again = save(found, path.with_name("all.safetensors"))
    assert again.heads_trained == HEADS
    assert "Heads fitted afterwards" in again.card


def test_one_head_alone_leaves_the_other_untrained(bare: Checkpoint, path: Path) -> None:
    both = heads_for(bare)
    state = {key: value for key, value in both.state.items() if key.startswith("aux2")}
    save_fitted_heads(replace(both, accuracy={"aux2": both.accuracy["aux2"]}, state=state), path)
    found = load(path.with_name("bare.safetensors"))
    assert found.heads_trained == ("aux2", "main")
    assert torch.equal(found.state["aux1.fc.weight"], bare.state["aux1.fc.weight"])


def test_a_head_that_is_fitted_anew_leaves_the_others_as_their_fit_left_them(bare: Checkpoint, path: Path) -> None:
    both = heads_for(bare)
    state = {key: value + 1 for key, value in both.state.items() if key.startswith("aux1")}
    settings = FitSettings(3.0, 16, 0.5, 9)
    again = replace(both, accuracy={"aux1": HeadAccuracy(0.5, 0.75)}, state=state, settings=settings, training=80)
    save_fitted_heads(with_former(again, path, bare), path)
    found = load_fitted_heads(path, bare)
    assert found.heads == ("aux1", "aux2")
    (kept,) = found.earlier
    assert (found.accuracy, found.settings, found.training) == (again.accuracy, settings, 80)
    assert (kept.accuracy, kept.settings) == ({"aux2": both.accuracy["aux2"]}, both.settings)
    assert (kept.training, kept.held_out, kept.classes, kept.source) == (9000, 500, 6, both.source)
    assert "seed 9" in found.words
    assert "aux2 did not come with these weights" in found.words
    whole = load(path.with_name("bare.safetensors"))
    assert whole.heads_trained == HEADS
    assert torch.equal(whole.state["aux2.fc.weight"].float(), both.state["aux2.fc.weight"])
    assert torch.equal(whole.state["aux1.fc.weight"].float(), state["aux1.fc.weight"].half().float())
    save_fitted_heads(with_former(both, path, bare), path)
    assert load_fitted_heads(path, bare).earlier == (), "both anew: nothing of the former fits is left"
    path.write_bytes(b"damaged")
    assert with_former(again, path, bare) is again


def test_heads_of_other_weights_are_told_and_left_out(
    bare: Checkpoint, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = path.with_name("bare.safetensors")
    save(replace(bare, source="saved once more"), file)
    found = load(file)
    assert found.heads_trained == ("main",)
    assert found.fitted is None
    assert (
        f"with sha256 {bare.sha256[:12]}..., and bare has {found.sha256[:12]}...: fit them anew" in found.fitted_refused
    )
    assert main(["checkpoints", "show", str(file)]) == 0
    assert "fit them anew" in capsys.readouterr().out


def test_heads_that_came_trained_are_not_replaced(bare: Checkpoint, path: Path) -> None:
    with pytest.raises(CheckpointError, match="all heads of the network came trained"):
        load_fitted_heads(path, replace(bare, heads_trained=HEADS))
    with pytest.raises(CheckpointError, match="it has other heads than aux2"):
        load_fitted_heads(path, replace(bare, heads_trained=("aux1", "main")))


TEXTS = {
    "accuracy that is a text": ({"accuracy": '"root:x"'}, "its accuracy is a text"),
    "accuracy 5,000 deep": ({"accuracy": "[" * 5000 + "]" * 5000}, "nested too deeply"),
    "accuracy of nobody": ({"accuracy": "{}"}, "other heads than aux1 and aux2"),
    "accuracy of main": ({"accuracy": '{"main": {"top1": 1, "top5": 1}}'}, "other heads than aux1 and aux2"),
    "a share of 2": ({"accuracy": '{"aux1": {"top1": 2, "top5": 1}}'}, "top1 of aux1 is 2"),
    "a share of NaN": ({"accuracy": '{"aux1": {"top1": NaN, "top5": 1}}'}, "no finite number"),
    "images in words": ({"images": '["root:x", 1, 1]'}, "a number of images is a text"),
    "two numbers of images": ({"images": "[1, 2]"}, "2 numbers of images and classes"),
    "a number of 5,000 digits": ({"images": f"[{'9' * 5000}, 1, 1]"}, "no JSON"),
    "settings that lack one": ({"settings": '{"epochs": 1, "batch": 1, "lr": 1}'}, "its settings lacks seed"),
    "settings of more": (
        {"settings": '{"epochs": 1, "batch": 1, "lr": 1, "seed": 1, "x": 1}'}, "1 fields that nobody knows",
    ),
    "a batch of nothing": ({"settings": '{"epochs": 1, "batch": null, "lr": 1, "seed": 1}'}, "its batch is nothing"),
    "a source of a million letters": ({"source": "x" * 10**6}, "source has 1,000,000 characters"),
    "earlier fits of the same head": (
        {"earlier": json.dumps([{
            "accuracy": {"aux1": {"top1": 0, "top5": 1}}, "images": [1, 1, 1],
            "settings": {"epochs": 1, "batch": 1, "lr": 1, "seed": 1}, "source": "",
        }])},
        "two of its fits are of one head",
    ),
    "earlier fits that are a text": ({"earlier": '"root:x"'}, "its earlier fits is a text"),
    "an earlier fit that lacks all": ({"earlier": "[{}]"}, "an earlier fit lacks"),
    "another checkpoint's words": ({"checkpoint": "root:x:0:0:root"}, "sha256 a name of 12 characters"),
    "another format": ({"format": "inceptionscope-probes-1"}, "it is no file of heads"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_heads_are_refused(name: str, bare: Checkpoint, path: Path) -> None:
    texts, said = TEXTS[name]
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    header["__metadata__"] |= texts
    path.write_bytes(safetensors(header, raw[end:]))
    with pytest.raises(CheckpointError, match=said) as caught:
        load_fitted_heads(path, bare)
    assert "root:x" not in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    found = load(path.with_name("bare.safetensors"))
    assert (found.heads_trained, found.fitted) == (("main",), None)
    assert said in found.fitted_refused


CHANGED: dict[str, tuple[dict[str, torch.Tensor | None], str]] = {
    "one missing": ({"aux2.fc.bias": None}, r"aux2\.fc\.bias is missing"),
    "one of the trunk": ({"classifier.bias": torch.zeros(7)}, "unknown: classifier.bias"),
    "another shape": ({"aux1.fc.bias": torch.zeros(3)}, r"aux1\.fc\.bias has \(3,\)"),
    "whole numbers": ({"aux1.fc.bias": torch.zeros(16).long()}, r"numbers of \(16,\)"),
    "infinite": ({"aux1.fc.bias": torch.full((16,), torch.inf)}, "not finite"),
    "negative variances": ({"aux1.conv.bn.running_var": torch.full((8,), -1.0)}, "negative variances"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_tensors_that_do_not_fit_are_refused(name: str, bare: Checkpoint, path: Path) -> None:
    changes, said = CHANGED[name]
    raw = path.read_bytes()
    metadata = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    state = {**heads_for(bare).state, **changes}
    save_file({k: v for k, v in state.items() if v is not None and not k.endswith("tracked")}, path, metadata)
    with pytest.raises(CheckpointError, match=rf"damaged \(.*{said}"):
        load_fitted_heads(path, bare)


def test_what_is_no_file_of_tensors_is_refused(bare: Checkpoint, path: Path) -> None:
    for content in (b"", b"no tensors", path.read_bytes()[:200]):
        path.write_bytes(content)
        assert "bare.heads.safetensors can't be used" in load(path.with_name("bare.safetensors")).fitted_refused
