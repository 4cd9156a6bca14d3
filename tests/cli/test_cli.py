"""The commands predict and inspect on real photos, and how the command line says no."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from inception_model.architecture.spec import UNITS
from inception_model.architecture.variants import TABLE_1
from inception_model.checkpoints.store import load
from inception_model.cli import main
from inception_model.inference.classifier import DeviceError, build, pick_device


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "cat.png"
    Image.fromarray(skimage.data.chelsea()).save(path)
    return path


def answer(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    assert main([*arguments, "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_cat_is_a_cat_and_the_json_is_as_promised(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = answer(["predict", str(cat), str(cat), "--top", "4"], capsys)
    assert result["checkpoint"] == "tiny-imagenet"
    assert result["sha256"] == load("tiny-imagenet").sha256
    assert (result["device"], result["precision"]) == ("cpu", "float32")
    assert len(result["images"]) == 2
    heads = result["images"][0]["heads"]
    assert list(heads) == ["aux1", "aux2", "main"]
    assert "cat" in heads["main"]["top"][0]["label"]
    for head in heads.values():
        assert head["trained"] is True
        assert len(head["top"]) == 4
        probabilities = [row["probability"] for row in head["top"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert set(head["top"][0]) == {"index", "wnid", "label", "probability", "logit"}


def test_predict_prints_a_table(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(cat), "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "cat" in text
    assert all(head in text for head in ("aux1", "aux2", "main"))


def test_inspect_saves_every_branch(cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "maps" / "cat.npz"
    result = answer(["inspect", str(cat), "--out", str(out)], capsys)
    with np.load(out) as arrays:
        names = {f"{module}/{node}" for module in TABLE_1 for node in ("input", *UNITS, "output")}
        assert set(arrays.files) == names | {"logits/aux1", "logits/aux2", "logits/main"} == set(result["arrays"])
        assert arrays["4d/5x5"].shape == (64, 14, 14)
        assert arrays["3a/3x3_reduce"].shape == (96, 28, 28)
        for module in TABLE_1:
            branches = [arrays[f"{module}/{unit}"] for unit in ("1x1", "3x3", "5x5", "pool_proj")]
            assert np.array_equal(np.concatenate(branches), arrays[f"{module}/output"])
        row = result["arrays"]["4d/5x5"]
        assert row["shape"] == [64, 14, 14]
        assert row["mean"] == pytest.approx(arrays["4d/5x5"].mean(), rel=1e-5)
        assert row["zeros"] == pytest.approx((arrays["4d/5x5"] == 0).mean())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "no-such-photo.jpg"], "can't be read"),
        (["predict", __file__], "not an image"),
        (["predict", __file__, "--top", "0"], "at least 1"),
        (["inspect", __file__, "--out", "maps.txt"], ".npz"),
        (["predict", __file__, "--checkpoint", "no-such-network"], "tiny-imagenet"),
    ],
)
def test_user_errors_are_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error
    assert "Traceback" not in error


def test_devices_that_are_missing_are_named() -> None:
    with pytest.raises(DeviceError, match="allowed: auto"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="finds only"):
            pick_device("cuda")
    with pytest.raises(ValueError, match="unknown precision"):
        build(load("tiny-imagenet"), "cpu", "float64")


def test_bfloat16_says_the_same_on_the_cat(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = answer(["predict", str(cat), "--precision", "float32"], capsys)
    half = answer(["predict", str(cat), "--precision", "bfloat16"], capsys)
    assert half["precision"] == "bfloat16"
    a, b = (r["images"][0]["heads"]["main"]["top"][0] for r in (full, half))
    assert a["index"] == b["index"]
    assert abs(a["logit"] - b["logit"]) / abs(a["logit"]) < 0.05
