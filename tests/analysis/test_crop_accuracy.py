"""Accuracy over crops and models: one crop is today's evaluation, more are a plain loop, and a run goes on."""

from __future__ import annotations

import io
import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inception_model.analysis import crop_accuracy as module
from inception_model.analysis.crop_accuracy import CropAccuracy, crop_accuracy
from inception_model.architecture.spec import HEADS
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.store import save
from inception_model.cli import main
from inception_model.cli.crop_table import row_json, table
from inception_model.cost.paper_figures import VOTING
from inception_model.images.crops import SCALES, first_crops, resized, views
from inception_model.inference.classifier import Classifier, build
from inception_model.training.data import DatasetError, LabelledImages
from inception_model.training.evaluation import evaluate_network
from tests.processes import exit_code
from tests.random_networks import random_classifier, with_small_input

CLASSES = tiny().classes
SIZES = ((90, 60), (60, 90), (64, 64), (300, 240))


def encoded(size: tuple[int, int], seed: int) -> bytes:
    rng, buffer = np.random.default_rng(seed), io.BytesIO()
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize(size, Image.Resampling.NEAREST)
    coarse.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def images() -> LabelledImages:
    """Landscapes, portraits and squares, without one of class 3."""
    labels = [label for label in range(CLASSES) if label != 3] * 2
    return LabelledImages([encoded(SIZES[i % 4], i) for i in range(len(labels))], np.array(labels))


@pytest.fixture(scope="module")
def members(tiny_classifier: Classifier) -> list[Classifier]:
    """Two networks whose main head is not so sure that all other classes tie at zero, on small crops: 144 are many."""
    known, rng = with_small_input(tiny_classifier).checkpoint, torch.Generator().manual_seed(2)
    state = {name: value * 0.02 if name == "classifier.weight" else value for name, value in known.state.items()}
    noisy = {
        name: value + 0.2 * value.std() * torch.randn(value.shape, generator=rng) if value.dim() > 1 else value
        for name, value in state.items()
    }
    second = replace(known, name="second", sha256="b" * 64, state=noisy)
    return [build(replace(known, state=state), "cpu"), build(second, "cpu")]


def test_one_crop_is_today_s_evaluation(tiny_classifier: Classifier, images: LabelledImages) -> None:
    found = crop_accuracy([tiny_classifier], images, "hash", 1)
    (row,) = found.rows()
    wanted = evaluate_network(tiny_classifier.network, images, tiny_classifier.preprocessing, batch=16)
    assert row.heads == wanted
    assert (row.models, row.crops, row.cost) == (1, 1, 1)
    assert found.small == sum(min(size) < 224 for size in (SIZES[i % 4] for i in range(len(images))))


def loop(members: list[Classifier], image: Image.Image, crops: int) -> list[dict[str, torch.Tensor]]:
    """Every member's mean probabilities by head: every crop a picture, softmax, sum."""
    found = []
    for member in members:
        sums = {head: torch.zeros(CLASSES, dtype=torch.float64) for head in HEADS}
        seen = views(image, first_crops(crops), member.preprocessing)
        pictures = [member.preprocessing.tensor(Image.fromarray(seen.pictures[place])) for place in seen.place]
        for part in torch.cat(pictures).split(16):
            heads = member.heads_of(part)
            for head in HEADS:
                sums[head] += heads.of(head).double().softmax(1).sum(0)
        found.append({head: total / crops for head, total in sums.items()})
    return found


@pytest.mark.parametrize(("crops", "count"), [(10, 6), (144, 2)])
def test_crops_and_models_are_a_plain_loop(
    members: list[Classifier], images: LabelledImages, crops: int, count: int
) -> None:
    few = images.first(count)
    found = crop_accuracy(members, few, "hash", crops)
    rows = {(row.models, row.crops): row for row in found.rows()}
    assert set(rows) == {(m, c) for m in (1, 2) for c in (1, 10, 144) if c <= crops}
    assert rows[2, crops].cost == 2 * crops
    means = [(loop(members, image, crops), label) for image, label in few]
    for head in HEADS:
        right = np.zeros((3, 2))  # two members and both together; first, among five
        for (one, other), label in means:
            for number, scores in enumerate((one[head], other[head], (one[head] + other[head]) / 2)):
                order = scores.argsort(descending=True).tolist()
                right[number] += order[0] == label, label in order[:5]
        shares = (right / count).tolist()
        alone = rows[1, crops].members
        assert [alone["random"][head].top1, alone["random"][head].top5] == shares[0]
        assert [alone["second"][head].top1, alone["second"][head].top5] == shares[1]
        assert [rows[2, crops].heads[head].top1, rows[2, crops].heads[head].top5] == shares[2]
        assert rows[1, crops].heads[head].top1 == pytest.approx((shares[0][0] + shares[1][0]) / 2)


def test_a_run_that_is_broken_off_ends_as_one_that_is_not(
    members: list[Classifier], images: LabelledImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = images.first(6)
    whole = crop_accuracy(members, images, "hash", 10)
    file = tmp_path / "deep" / "state.json"
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)

    class Broken(LabelledImages):
        def __getitem__(self, index: int) -> tuple[Image.Image, int]:  # type: ignore[override]
            if index == 2:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        crop_accuracy(members, Broken(images.encoded, images.labels), "hash", 10, file=file)
    assert json.loads(file.read_text())["done"] == 2
    told: list[int] = []
    found = crop_accuracy(members, images, "hash", 10, file=file, progress=lambda done, _: told.append(done))
    assert told[0] == 2
    assert found.places == whole.places
    assert found.rows() == whole.rows()
    assert not list(file.parent.glob("*.part"))
    again = crop_accuracy(members, images, "hash", 10, file=file, progress=lambda done, _: told.append(done))
    assert again.places == whole.places


def test_a_file_of_other_settings_is_refused(members: list[Classifier], images: LabelledImages, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    crop_accuracy(members[:1], images.first(3), "hash", 1, file=file)
    kept = file.read_bytes()
    for other, what in (
        (lambda: crop_accuracy(members[:1], images.first(3), "other", 1, file=file), "data hash there, other here"),
        (lambda: crop_accuracy(members[:1], images.first(3), "hash", 10, file=file), "crops 1 there, 10 here"),
        (lambda: crop_accuracy(members, images.first(3), "hash", 1, file=file), "checkpoints"),
    ):
        with pytest.raises(DatasetError, match=what):
            other()
        assert file.read_bytes() == kept
    told = json.loads(kept)
    file.write_text(json.dumps({**told, "settings": {**told["settings"], "data": "forged"}, "hash": told["hash"]}))
    assert CropAccuracy(told["settings"], {}, file=file).goes_on().done == 3, "the hash decides"
    for text in ("", "[]", "{}", json.dumps({**told, "done": 2})):
        file.write_text(text)
        with pytest.raises(DatasetError, match="is no result of"):
            crop_accuracy(members[:1], images.first(3), "hash", 1, file=file)


def test_members_of_one_file_name_stay_apart(members: list[Classifier], images: LabelledImages) -> None:
    """`checkpoint.safetensors` of two runs: with equal names both are measured, and both are told."""
    one, other = members
    alike = [build(replace(each.checkpoint, name="checkpoint", sha256=digit * 64), "cpu")
             for each, digit in ((one, "a"), (other, "b"))]  # fmt: skip
    found = crop_accuracy(alike, images.first(3), "hash", 1)
    told = crop_accuracy(members, images.first(3), "hash", 1)
    (alone, _), (wanted, _) = found.rows(), told.rows()
    assert list(alone.members) == ["checkpoint (aaaaaaaa)", "checkpoint (bbbbbbbb)"]
    assert list(alone.members.values()) == list(wanted.members.values())
    assert list(row_json(alone)["members"]) == list(alone.members)
    assert all(any(name in line for line in table(found, 224)) for name in alone.members)


def test_the_note_names_the_side_that_was_used(tiny_classifier: Classifier, images: LabelledImages) -> None:
    preprocessing = replace(tiny_classifier.checkpoint.preprocessing, size=64, resize=73)
    small = build(replace(tiny_classifier.checkpoint, preprocessing=preprocessing), "cpu")
    found = crop_accuracy([small], images.first(1), "hash", 10)
    short = min(resized((300, 200), SCALES[0], 64))
    assert short == 73
    assert any(f"at shorter side {short}," in line for line in table(found, small.preprocessing.size))


def test_no_images_and_strange_counts_are_refused(members: list[Classifier], images: LabelledImages) -> None:
    with pytest.raises(DatasetError, match="no images"):
        crop_accuracy(members, images.first(0), "hash", 1)
    with pytest.raises(ValueError, match="allowed: 1, 10, 144"):
        crop_accuracy(members, images, "hash", 12)


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, members: list[Classifier]) -> Path:
    """Two checkpoints of one kind, one of another, and images of all classes but one, in a folder per class."""
    root = tmp_path_factory.mktemp("crops")
    for number, member in enumerate(members):
        save(member.checkpoint, root / f"{number}.safetensors")
    save(random_classifier(replace(tiny(), classes=CLASSES + 1)).checkpoint, root / "other.safetensors")
    for number, label in enumerate(members[0].checkpoint.labels):
        for split in ("train", "validation"):
            (root / "data" / split / label.wnid).mkdir(parents=True)
        if label.index != 3:
            (root / "data" / "validation" / label.wnid / "a.png").write_bytes(encoded(SIZES[number % 4], number))
    return root


Ask = Callable[..., str]


@pytest.fixture
def ask(folder: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*words: str, status: int = 0, data: str = "data") -> str:
        assert main(["evaluate", str(folder / data), "--device", "cpu", *words]) == status
        out, err = capsys.readouterr()
        return out if status == 0 else err

    return run


def test_the_command_with_one_crop_says_what_it_said(folder: Path, ask: Ask) -> None:
    one = ("--checkpoint", str(folder / "0.safetensors"), "--json")
    plain, asked = (json.loads(text) for text in (ask(*one), ask(*one, "--crops", "1")))
    assert plain["heads"] == asked["heads"]
    assert list(plain) == ["checkpoint", "sha256", "device", "precision", "temperatures", "images", "heads", "seconds"]
    kept = json.loads(ask(*one, "--crops", "1", "--out", str(folder / "kept.json")))
    for head, row in kept["rows"][0]["heads"].items():
        assert {name: plain["heads"][head][name] for name in ("top1", "top5")} == row


def test_the_table_has_the_paper_s_form_and_figures(folder: Path, ask: Ask) -> None:
    both = [word for number in (0, 1) for word in ("--checkpoint", str(folder / f"{number}.safetensors"))]
    text = ask(*both, "--crops", "10", "--batch", "8")
    main_table = text.split("\nmain")[1].splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in main_table[2:6]]
    assert [row[:3] for row in rows] == [["1", "1", "1"], ["1", "10", "10"], ["2", "1", "2"], ["2", "10", "20"]]
    assert rows[0][7:] == ["1", "1", "1", "10.07%", "base"]
    assert rows[1][7:] == ["1", "10", "10", "9.15%", "-0.92%"]
    assert rows[2][7:] == ["7", "1", "7", "8.09%", "-1.98%"]
    assert rows[3][7:] == ["7", "10", "70", "7.62%", "-2.45%"]
    assert f"images of {CLASSES - 1} of {CLASSES} classes" in text
    assert "their crops are enlarged" in text
    assert "1 model: the mean of the 2 members" in text
    found = json.loads(ask(*both, "--crops", "10", "--json"))
    assert [row["cost"] for row in found["paper"]] == [row.cost for row in VOTING] == [1, 10, 144, 7, 70, 1008]
    for row, printed in zip(found["rows"], rows, strict=True):
        assert printed[3] == f"{row['heads']['main']['top1']:.2%}"
        assert printed[5] == f"{1 - row['heads']['main']['top5']:.2%}"


def test_bad_questions_get_a_sentence(folder: Path, ask: Ask) -> None:
    one, other = str(folder / "0.safetensors"), str(folder / "other.safetensors")
    assert "need the same classes" in ask("--checkpoint", one, "--checkpoint", other, "--crops", "10", status=2)
    assert "the same file" in ask("--checkpoint", one, "--checkpoint", one, status=2)
    assert "name the folder of the data once" in ask("--data", str(folder), "--checkpoint", one, status=2)
    (folder / "only").mkdir(exist_ok=True)
    (folder / "only" / "train").mkdir(exist_ok=True)
    said = ask("--checkpoint", one, status=2, data="only")
    assert "has no validation images" in said
    assert "only for train: ask for that one" in said


def saves_and_dies(words: list[str], after: int) -> None:
    """The command, killed as soon as the results of so many images lie in its file."""
    module.SAVE_SECONDS = 0.0
    save = CropAccuracy.save

    def save_and_die(self: CropAccuracy) -> None:
        save(self)
        if self.done == after:
            os.kill(os.getpid(), signal.SIGKILL)

    CropAccuracy.save = save_and_die  # type: ignore[method-assign]
    main(words)


def test_a_killed_command_goes_on_with_the_same_result(folder: Path, ask: Ask) -> None:
    # A batch of fewer than ten: one image after the other.
    one = ("--checkpoint", str(folder / "0.safetensors"), "--crops", "10", "--batch", "8", "--json")
    file = folder / "killed.json"
    words = ["evaluate", str(folder / "data"), "--device", "cpu", *one, "--out", str(file)]
    assert exit_code(saves_and_dies, words, 2) == -signal.SIGKILL
    assert json.loads(file.read_text())["done"] == 2 < CLASSES - 1, "killed in between"
    gone_on = json.loads(ask(*one, "--out", str(file)))
    whole = json.loads(ask(*one))
    assert gone_on["rows"] == whole["rows"]
    assert json.loads(file.read_text())["done"] == CLASSES - 1
