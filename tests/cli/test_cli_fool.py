"""The command fool on a real photo with the bundled checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inception_model.cli import main


def test_flips_and_a_change_that_a_picture_file_holds(
    photo_paths: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cat = str(photo_paths["cat"])
    asked = ["fool", cat, "--device", "cpu", "--disturbance", "grey", "--bound", "2", "--steps", "3"]
    assert main([*asked, "--out", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer["disturbances"]) == ["grey"]
    head = answer["disturbances"]["grey"]["heads"]["aux2"]
    first = head["flips"][0]
    place = answer["disturbances"]["grey"]["strengths"].index(first["strength"])
    assert head["answers"][place] == first["index"] not in head["answers"][:place]
    attack = answer["attack"]
    assert attack["reached"]
    assert attack["size"] <= 2 * (1 + 1e-9)
    assert attack["depth"]["turn"] is not None

    photo, changed = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("photo.png", "changed.png"))
    assert 0 < np.abs(photo - changed).max() <= 2
    assert main(["predict", str(tmp_path / "changed.png"), "--device", "cpu", "--json"]) == 0
    stored = json.loads(capsys.readouterr().out)["images"][0]["heads"]["main"]["top"][0]
    assert stored["label"] == attack["after"]["label"] != attack["before"]["label"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--target", "3-7"], "takes one class"),
        (["--bound", "-1"], "a bound lies above 0"),
        (["--steps", "0"], "--steps"),
    ],
)
def test_what_cannot_be_asked_is_said(
    photo_paths: dict[str, Path], capsys: pytest.CaptureFixture[str], wrong: list[str], said: str
) -> None:
    cat = str(photo_paths["cat"])
    assert main(["fool", cat, "--device", "cpu", "--disturbance", "shift", *wrong]) == 2
    assert said in capsys.readouterr().err
