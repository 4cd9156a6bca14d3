"""The command calibrate on a small network, and what it changes in predict, ablate, evaluate and report."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.store import load, save
from inception_model.cli import main
from inception_model.images.decode import open_photo
from inception_model.inference.classifier import build
from inception_model.training.data import LabelledImages, open_dataset
from inception_model.training.evaluation import answers
from tests.random_networks import random_classifier
from tests.training.runs import coloured

CLASSES = ("1 red", "2 green", "3 blue")
EACH = 6
"""Images of every class in either part."""
HELD = 4
"""Of these, held out."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Images of three colours in class folders, one in three in a wrong one, and a network that is too sure of them.

    Its weights are random but for the heads' last layers, which least squares turn towards the colours.
    """
    root, rng = tmp_path_factory.mktemp("shapes"), np.random.default_rng(3)
    found = random_classifier(tiny(3)).checkpoint
    images, wanted = [], []
    for label, name in enumerate(CLASSES):
        for place in range(2 * EACH):
            image = coloured(label, rng)
            folder = root / ("train" if place < EACH else "validation") / (name if place % 3 else CLASSES[label - 1])
            folder.mkdir(parents=True, exist_ok=True)
            image.save(folder / f"{label}-{place:02}.png")
            images.append(found.preprocessing(image))
            wanted.append([6.0 * (label == other) for other in range(3)])
    heads = build(found, "cpu").heads_of(torch.cat(images))
    state = {key: value.clone() for key, value in found.state.items()}
    for head in ("aux1", "aux2", "main"):
        layer = "classifier" if head == "main" else f"{head}.classifier"
        logits = heads.of(head).double()
        affine = torch.linalg.lstsq(torch.cat([logits, torch.ones(len(logits), 1)], 1), torch.tensor(wanted).double())
        turn, shift = affine.solution[:3].T, affine.solution[3]
        state[f"{layer}.bias"] = (turn @ state[f"{layer}.bias"].double() + shift).float()
        state[f"{layer}.weight"] = (turn @ state[f"{layer}.weight"].double()).float()
    labels = tuple(Label(index, name, name) for index, name in enumerate(CLASSES))
    path = tmp_path_factory.mktemp("network") / "shapes.safetensors"
    save(replace(found, labels=labels, state=state), path)
    return root, path


@pytest.fixture(scope="module")
def data(made: tuple[Path, Path]) -> Path:
    return made[0]


@pytest.fixture(scope="module")
def network(made: tuple[Path, Path]) -> Path:
    return made[1]


@pytest.fixture
def file(network: Path, tmp_path: Path) -> Path:
    """The network's file, to be written to."""
    return Path(shutil.copy(network, tmp_path / "shapes.safetensors"))


@pytest.fixture(scope="module")
def calibrated(network: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated copy."""
    out = tmp_path_factory.mktemp("calibrated") / "shapes.safetensors"
    arguments = ["calibrate", str(data), "--checkpoint", str(network), "--out", str(out), "--holdout", str(3 * HELD)]
    assert main([*arguments, "--device", "cpu"]) == 0
    return out


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main([*map(str, arguments), "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([*map(str, arguments), "--device", "cpu"]) == 2
    return capsys.readouterr().err


def test_calibrate_fits_the_last_images_of_each_class_and_measures_on_the_others(
    file: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = build(load(file), "cpu")
    found = told(capsys, "calibrate", data, "--checkpoint", file, "--holdout", 3 * HELD)
    assert (found["fitted"], found["measured"], found["data"]) == (3 * HELD, 3 * EACH, data.name)
    assert found["sha256"] == load(file).sha256 != classifier.checkpoint.sha256
    assert load(file).temperatures == found["temperatures"]
    training, validation = (open_dataset(data, split) for split in ("train", "validation"))
    held = [EACH * label + number for label in range(3) for number in range(EACH - HELD, EACH)]

    def logits_of(images: LabelledImages, head: str) -> np.ndarray:
        parts = [h.of(head) for h, _ in answers(classifier.network, images, classifier.preprocessing, batch=9)]
        return torch.cat(parts).double().numpy()

    for head, row in found["heads"].items():
        logits, labels = logits_of(training.take(held), head), training.labels[held]

        def nll(log: float, logits: np.ndarray = logits, labels: np.ndarray = labels) -> float:
            return float(-log_softmax(logits / np.exp(log), axis=1)[np.arange(3 * HELD), labels].mean())

        best = minimize_scalar(nll, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-10})
        assert row["temperature"] == pytest.approx(np.exp(best.x), rel=1e-4), "near the same logits in other batches"
        chances = np.exp(log_softmax(logits_of(validation, head), axis=1))
        assert row["before"]["nll"] == pytest.approx(
            -np.log(chances[np.arange(3 * EACH), validation.labels]).mean(), rel=1e-4
        )
        assert row["after"]["calibration_error"] < row["before"]["calibration_error"]
        assert sum(each["count"] for each in row["after"]["bins"]) == 3 * EACH


def test_probabilities_are_those_of_plain_torch_at_the_temperature_everywhere(
    calibrated: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, checkpoint = data / "validation" / "1 red" / "0-07.png", load(calibrated)
    trained = checkpoint.trainable().eval()  # torch's own layers, batch norm unfolded
    with torch.no_grad():
        heads = trained.forward_heads(checkpoint.preprocessing(open_photo(photo).image))
    assert {round(value, 6) for value in checkpoint.temperatures.values()} != {1.0}
    for raw in (False, True):
        flag = ["--raw"] if raw else []
        said = told(capsys, "predict", photo, "--checkpoint", calibrated, "--top", 3, *flag)
        assert said["temperatures"] == ({} if raw else dict(checkpoint.temperatures))
        without = told(capsys, "ablate", photo, "--off", "5b", "--checkpoint", calibrated, *flag)
        page = ["report", photo, "--out", tmp_path / "page.html", "--checkpoint", calibrated, "--steps", 2, "--method"]
        report = told(capsys, *page, *flag)
        for head in ("aux1", "aux2", "main"):
            temperature = 1.0 if raw else checkpoint.temperatures[head]
            expected = torch.softmax(heads.of(head)[0] / temperature, 0).tolist()
            top = said["images"][0]["heads"][head]["top"]
            assert [row["index"] for row in top] == heads.of(head)[0].argsort(descending=True).tolist()
            for rows in (top, report["heads"][head]["top"]):
                assert [row["probability"] for row in rows] == pytest.approx(
                    [expected[row["index"]] for row in rows], rel=1e-4
                )
            for row in without["heads"][head]["top"]:
                assert row["probability"]["before"] == pytest.approx(expected[row["index"]], rel=1e-4)
        steps = {step["head"]: step for step in report["timeline"]["steps"]}
        main_t = 1.0 if raw else checkpoint.temperatures["main"]
        chances = torch.softmax(heads.main[0].double() / main_t, 0)
        assert steps["main"]["entropy"] == pytest.approx(float(torch.special.entr(chances).sum()), rel=1e-3)
        assert ("--raw" in report["command"]) is raw
        words = (tmp_path / "page.html").read_text()
        assert ("plain softmax (asked for)" if raw else "softmax at the temperature of each head: aux1") in words


def test_evaluate_tells_the_calibration_error_with_and_without(
    calibrated: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = load(calibrated).calibration
    assert known is not None
    for flag, name in (([], "after"), (["--raw"], "before")):
        found = told(capsys, "evaluate", "--data", data, "--checkpoint", calibrated, *flag)
        for head, row in found["heads"].items():
            expected = getattr(known.heads[head], name)
            assert row["nll"] == pytest.approx(expected.nll, rel=1e-4)
            assert row["calibration_error"] == pytest.approx(expected.error, rel=1e-3)
    assert main(["evaluate", "--data", str(data), "--checkpoint", str(calibrated), "--device", "cpu"]) == 0
    assert "calibration error" in capsys.readouterr().out


def test_the_table_names_what_was_made_for_the_former_file(
    file: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = file.with_name("shapes.probes.safetensors")
    beside.write_bytes(b"")
    assert main(["calibrate", str(data), "--checkpoint", str(file), "--holdout", str(3 * HELD), "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "fitted on 12 held-out training images, measured on 18 validation images" in text
    assert f"make them anew: {beside}" in text
    with pytest.raises(SystemExit):
        main(["calibrate", "--help"])
    assert "calibrate before `probe` and `benchmark`" in " ".join(capsys.readouterr().out.split())


def test_what_cannot_be_calibrated_is_said_and_the_file_stays(
    file: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_bytes()
    alone = tmp_path / "alone"
    shutil.copytree(data / "train", alone / "train")
    unsplit = tmp_path / "unsplit"
    shutil.copytree(data / "train", unsplit)
    (tmp_path / "empty").mkdir()
    checkpoint = ("--checkpoint", file)
    assert "has no validation images" in refused(capsys, "calibrate", alone, *checkpoint)
    assert "are validation images as well" in refused(capsys, "calibrate", unsplit, *checkpoint, "--holdout", 3 * HELD)
    assert "no such folder" in refused(capsys, "calibrate", tmp_path / "nowhere", *checkpoint)
    assert "holds neither" in refused(capsys, "calibrate", tmp_path / "empty", *checkpoint)
    assert "use a smaller --holdout" in refused(capsys, "calibrate", data, *checkpoint)
    assert "--holdout must be at least 1" in refused(capsys, "calibrate", data, *checkpoint, "--holdout", 0)
    assert "are not among the 200" in refused(capsys, "calibrate", data, "--out", tmp_path / "x.safetensors")
    state = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1)}, state)
    assert "unknown tensor names" in refused(capsys, "calibrate", data, "--checkpoint", state)
    untrained = tmp_path / "untrained.safetensors"
    found = load(file)
    save(replace(found, heads_trained=()), untrained)
    assert "was ever trained" in refused(capsys, "calibrate", data, "--checkpoint", untrained)
    file.chmod(0o444)
    assert "is read-only: name another file with --out" in refused(capsys, "calibrate", data, *checkpoint)
    assert file.read_bytes() == before
