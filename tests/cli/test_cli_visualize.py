"""The command visualize with the bundled checkpoint."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inception_model.cli import main
from inception_model.cli import visualize as command

QUICK = ["--steps", "3", "--size", "48", "--device", "cpu"]


def test_pictures_and_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "sheet.png"
    units = ["3a:5x5:17", "conv1:3"]
    assert main(["visualize", *units, *QUICK, "--diversity", "2", "--seed", "4", "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [unit["objective"] for unit in answer["units"]] == units
    assert answer["units"][0]["settings"]["seed"] == 4
    assert np.shape(answer["units"][0]["curve"]) == (3, 2)
    assert answer["units"][0]["ratios"][0] == pytest.approx(
        answer["units"][0]["strengths"][0] / answer["units"][0]["natural"]["strength"], rel=1e-5
    )
    with Image.open(out) as image:
        assert image.size == (96, 96)
        first = np.asarray(image)
    assert main(["visualize", *units, *QUICK, "--diversity", "2", "--seed", "4", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "3a:5x5:17: reaches " in said
    with Image.open(out) as image:
        assert np.array_equal(np.asarray(image), first)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["3a:5x5:17", "--neuron", "3,3", "--negative"], "against 3a:5x5:17 at row 3, column 3"),
        (["3a:5x5", "--direction", "3=1,17=-0.5"], "3a:5x5 along +1×3 -0.5×17"),
        (["3a:5x5:17", "--minus", "conv2:3"], "3a:5x5:17 − conv2:3"),
        (["3a:5x5:17", "--maco"], "3a:5x5:17"),
        (["3a:5x5:17", "--from", "PHOTO", "--photo", "PHOTO"], "3a:5x5:17"),
    ],
)
def test_every_way_to_ask(
    options: list[str], name: str, photo_paths: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(photo_paths["rocket"]) if option == "PHOTO" else option for option in options]
    assert main(["visualize", *asked, *QUICK, "--out", str(tmp_path / "a.png"), "--json"]) == 0
    (unit,) = json.loads(capsys.readouterr().out)["units"]
    assert unit["objective"] == name
    if "--photo" in options:
        assert unit["natural"]["photo"] == photo_paths["rocket"].name


def test_a_class_of_a_head(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a.png")
    asked = ["visualize", "--class", "espresso", "--head", "aux1", "--steps", "1", "--device", "cpu", "--out", out]
    assert main(asked) == 0
    assert "espresso at aux1" in capsys.readouterr().out
    with Image.open(out) as image:
        assert image.size == (224, 224)


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("was computed before anyone asked whether it can be written")

    monkeypatch.setattr(command, "visualize", never)


@pytest.mark.usefixtures("no_work")
def test_a_place_that_can_t_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("no folder")
    for out, said in (("folder.png", "is a folder"), ("file/a.png", "can't be written"), ("file/b/a.png", "written")):
        assert main(["visualize", "3a:5x5:17", *QUICK, "--out", str(tmp_path / out)]) == 2
        assert said in capsys.readouterr().err


def test_a_full_disk_keeps_the_picture_that_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.png"
    out.write_bytes(b"a former picture")

    def full(image: Image.Image, path: Path, *_: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert main(["visualize", "3a:5x5:17", "--steps", "0", "--size", "32", "--device", "cpu", "--out", str(out)]) == 2
    assert "can't be written: No space left on device" in capsys.readouterr().err
    assert out.read_bytes() == b"a former picture"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["4d:5x5:999"], "it has channels 0 to 63"),
        (["4d:9x9:1"], "4d:1x1"),
        (["4d:5x5"], "4d:5x5:0 to 4d:5x5:63"),
        ([], "name a unit"),
        (["4d:5x5:1", "--class", "3"], "stands alone"),
        (["--class", "auto"], "needs a class"),
        (["--class", "no such thing"], "no class"),
        (["4d:5x5:1", "--neuron", "a"], "such as 7,7"),
        (["4d:5x5:1", "--neuron", "99,0"], "rows 0 to 2"),
        (["4d:5x5", "--direction", "3"], "such as 3=1,17=-0.5"),
        (["4d:5x5", "--direction", "999=1"], "0 to 63"),
        (["4d:5x5", "--direction", "3=nan"], "such as 3=1,17=-0.5"),
        (["4d:5x5:1", "--size", "8"], "32 to 1024"),
        (["4d:5x5:1", "--out", "a.jpg"], "ends in .png"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["visualize", "--out", "a.png", *QUICK, *options]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
