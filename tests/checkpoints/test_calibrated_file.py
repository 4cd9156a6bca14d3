"""Temperatures and training curves in a checkpoint's file: they come back, change no weight, and are not trusted."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inception_model import cli
from inception_model.checkpoints import rewriting
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.formats import read
from inception_model.checkpoints.store import save, save_calibration
from inception_model.inference.classifier import build
from inception_model.training.calibration import Calibration, HeadCalibration, Reliability, ReliabilityBin
from inception_model.training.curve import MAX_POINTS, TrainingCurve
from tests.checkpoints.files import tiny_checkpoint

BEFORE = Reliability((ReliabilityBin(3, 0.3, 1 / 3), ReliabilityBin(7, 0.91, 0.7)), 1.25)
AFTER = Reliability((ReliabilityBin(10, 0.61, 0.6),), 1.125)
CALIBRATION = Calibration(
    "shapes & <colours>",
    20,
    10,
    {"aux1": HeadCalibration(1.5, BEFORE, AFTER), "main": HeadCalibration(0.75, BEFORE, AFTER)},
)
CURVE = (TrainingCurve("aux1", ((10, 0.1), (20, 0.25))), TrainingCurve("main", ((10, 0.2), (20, 0.5))))


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


def tensor_bytes(path: Path) -> bytes:
    """Everything after the header, which is how a safetensors file keeps its tensors."""
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def with_metadata(path: Path, **changes: str | None) -> Path:
    """The file with these entries of its metadata, written by safetensors itself."""
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = {**file.metadata(), **changes}
    save_file(tensors, path, {key: value for key, value in metadata.items() if value is not None})
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a small checkpoint without temperatures holds."""
    path = tmp_path_factory.mktemp("made") / "t.safetensors"
    save(tiny_checkpoint(), path)
    return path.read_bytes()


@pytest.fixture
def file(made: bytes, tmp_path: Path) -> Path:
    """A small checkpoint without temperatures."""
    path = tmp_path / "t.safetensors"
    path.write_bytes(made)
    return path


def test_a_calibration_and_a_curve_come_back_as_they_were_saved(tmp_path: Path) -> None:
    found = save(tiny_checkpoint(calibration=CALIBRATION, curve=CURVE), tmp_path / "t.safetensors")
    assert found.calibration == CALIBRATION
    assert found.curve == CURVE
    assert found.temperatures == {"aux1": 1.5, "main": 0.75}
    assert found.raw().temperatures == {}


def test_a_file_without_temperatures_has_plain_softmax(file: Path) -> None:
    found = read(file)
    assert (found.calibration, dict(found.temperatures), found.curve) == (None, {}, ())
    logits = torch.randn(5, generator=torch.Generator().manual_seed(0)) * 3
    classifier = build(found, "cpu")
    for head in ("aux1", "aux2", "main", None):
        answers = classifier.top(logits, head, 5)
        assert {a.index: a.probability for a in answers} == dict(enumerate(torch.softmax(logits, 0).tolist()))


def test_temperatures_divide_the_logits_and_keep_the_ranking(file: Path) -> None:
    classifier = build(save_calibration(CALIBRATION, file, file), "cpu")
    logits = torch.randn(5, generator=torch.Generator().manual_seed(0)) * 3
    plain = [answer.index for answer in classifier.raw().top(logits, "main", 5)]
    for head, temperature in (("aux1", 1.5), ("aux2", 1.0), ("main", 0.75), (None, 1.0)):
        answers = classifier.top(logits, head, 5)
        assert [answer.index for answer in answers] == plain
        expected = torch.softmax(logits / temperature, 0)
        assert [a.probability for a in answers] == pytest.approx([float(expected[a.index]) for a in answers], rel=1e-6)
        assert [a.logit for a in answers] == [float(logits[a.index]) for a in answers]


def test_calibrating_a_file_changes_no_bit_of_its_weights_and_nothing_else_of_its_metadata(file: Path) -> None:
    weights, metadata, loaded = tensor_bytes(file), metadata_of(file), read(file)
    file.chmod(0o640)
    found = save_calibration(CALIBRATION, file, file)
    assert tensor_bytes(file) == weights
    after = metadata_of(file)
    assert json.loads(after.pop("calibration"))["heads"]["main"]["temperature"] == 0.75
    assert after == metadata
    assert found.calibration == CALIBRATION
    assert (found.accuracy, found.card, found.labels) == (loaded.accuracy, loaded.card, loaded.labels)
    assert all(torch.equal(found.state[key], value) for key, value in loaded.state.items())
    assert found.sha256 != loaded.sha256
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_copy_leaves_the_file_as_it_was(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    found = save_calibration(CALIBRATION, file, tmp_path / "copy.safetensors")
    assert file.read_bytes() == before
    assert read(tmp_path / "copy.safetensors").calibration == found.calibration == CALIBRATION


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.safetensors"
    link.symlink_to(file)
    save_calibration(CALIBRATION, link, link)
    assert link.is_symlink()
    assert read(file).calibration == CALIBRATION


def test_a_full_disk_keeps_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(CheckpointError, match=r"can't be written: No space left on device\. Nothing was changed\."):
        save_calibration(CALIBRATION, file, file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_places_that_cannot_be_written_are_named(file: Path, tmp_path: Path) -> None:
    for place, message in (
        (tmp_path, "is a folder: name a file"),
        (tmp_path / "no" / "such.safetensors", "does not exist: make it first"),
    ):
        with pytest.raises(CheckpointError, match=message):
            rewriting.require_writable(place)
    file.chmod(0o444)
    with pytest.raises(CheckpointError, match="is read-only: name another file with --out"):
        rewriting.require_writable(file)


def calibration(**changes: Any) -> dict[str, Any]:
    """The calibration as the file has it, the main head's row changed."""
    bins = [[3, 0.3, 0.25], [7, 0.91, 0.7]]
    row = {"temperature": 1.5, "before": {"nll": 1.0, "bins": bins}, "after": {"nll": 0.5, "bins": bins}}
    return {"data": "d", "fitted": 20, "measured": 10, "heads": {"main": {**row, **changes}}}


HOSTILE: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "it is no JSON"),
    "a list": ("[1, 2]", "where an object is expected"),
    "a number": ("1.5", "where an object is expected"),
    "not a number": (json.dumps(calibration(temperature=float("nan"))), "no finite number"),
    "infinity": (json.dumps(calibration(temperature=float("inf"))), "no finite number"),
    "a text": (json.dumps(calibration(temperature="NaN")), "a text, where a number from 0.05 to 20"),
    "a yes": (json.dumps(calibration(temperature=True)), "a truth value, where a number from 0.05 to 20"),
    "nothing": (json.dumps(calibration(temperature=None)), "nothing, where a number from 0.05 to 20"),
    "zero": (json.dumps(calibration(temperature=0)), "is 0, where a number from 0.05 to 20"),
    "a negative one": (json.dumps(calibration(temperature=-1.5)), "is -1.5, where a number from 0.05 to 20"),
    "a huge one": (json.dumps(calibration(temperature=1e30)), r"is 1e\+30, where a number from 0.05 to 20"),
    "an endless one": (json.dumps(calibration(temperature=10**400)), "too large"),
    "an unknown head": (json.dumps({**calibration(), "heads": {"aux3": {}}}), "allowed: aux1, aux2, main"),
    "heads in a list": (json.dumps({**calibration(), "heads": ["main"]}), "a list, where an object"),
    "a bare temperature": (json.dumps({**calibration(), "heads": {"main": 1.5}}), "main is a number, where an object"),
    "no reliability": (json.dumps(calibration(before=None)), "before of main is nothing"),
    "no bins": (json.dumps(calibration(after={"nll": 1.0, "bins": []})), "don't hold the 10 images"),
    "many bins": (json.dumps(calibration(after={"nll": 1.0, "bins": [[1, 0, 0]] * 16})), "16 entries"),
    "other images": (json.dumps(calibration(after={"nll": 1.0, "bins": [[9, 0.5, 0.5]]})), "don't hold the 10 images"),
    "more than all": (
        json.dumps(calibration(after={"nll": 1.0, "bins": [[10, 0.5, 1.5]]})),
        "an accuracy of after of main is 1.5, where a number from 0 to 1",
    ),
    "a negative loss": (
        json.dumps(calibration(after={"nll": -1, "bins": [[10, 0, 0]]})),
        "the log loss of after of main is -1",
    ),
    "half an image": (json.dumps({**calibration(), "fitted": 2.5}), "a number, where a whole number from 0"),
    "a long name": (json.dumps({**calibration(), "data": "x" * 1000}), "1,000 characters"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_strange_temperatures_are_refused_in_a_sentence(name: str, file: Path) -> None:
    text, message = HOSTILE[name]
    with_metadata(file, calibration=text)
    with pytest.raises(CheckpointError, match=rf"can't be used: .*the metadata's 'calibration' is wrong: .*{message}"):
        read(file)


def test_the_hostile_files_differ_from_a_good_one_only_in_what_they_are_named_after(file: Path) -> None:
    found = read(with_metadata(file, calibration=json.dumps(calibration())))
    assert found.temperatures == {"main": 1.5}


def test_a_head_that_was_never_trained_has_no_temperature(file: Path) -> None:
    with_metadata(file, calibration=json.dumps(calibration()), heads_trained=json.dumps(["aux1"]))
    with pytest.raises(CheckpointError, match="a temperature for main, which was never trained"):
        read(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"aux3": [[1, 0.5]]}', "allowed: aux1, aux2, main"),
        ('{"main": []}', f"needs 1 to {MAX_POINTS} points"),
        (json.dumps({"main": [[n, 0.5] for n in range(MAX_POINTS + 1)]}), f"{MAX_POINTS + 1} entries"),
        ('{"main": [[1, 0.5], [1, 0.6]]}', "points whose steps rise"),
        ('{"main": [[1, NaN]]}', "no finite number"),
        ('{"main": [[-1, 0.5]]}', "a step of the curve of main is -1"),
        ('{"main": [[1, 0.5, 2]]}', "3 entries"),
    ],
)
def test_strange_curves_are_refused_in_a_sentence(text: str, message: str, file: Path) -> None:
    with_metadata(file, curve=text)
    with pytest.raises(CheckpointError, match=f"the metadata's 'curve' is wrong: .*{message}"):
        read(file)


def test_the_command_line_shows_the_temperatures(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_calibration(CALIBRATION, file, file)
    assert cli.main(["checkpoints", "show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["temperatures"] == {"aux1": 1.5, "main": 0.75}
