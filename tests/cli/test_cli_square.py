"""--square: the commands answer about the square, as they would about a file of its pixels alone, and say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inception_model.cli import main
from tests.compare import assert_close

SQUARE, CORNERS = "40,60,200", (40, 60, 240, 260)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The whole photo, and its square as a file: the bundled network's preprocessing shows it whole."""
    folder = tmp_path_factory.mktemp("photos")
    whole = Image.fromarray(skimage.data.chelsea())
    whole.save(folder / "cat.png")
    whole.crop(CORNERS).save(folder / "cut.png")
    return folder / "cat.png", folder / "cut.png"


def test_predict_answers_about_the_square(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    def ask(*arguments: str) -> dict[str, object]:
        assert main(["predict", *arguments, "--device", "cpu", "--json"]) == 0
        image: dict[str, object] = json.loads(capsys.readouterr().out)["images"][0]
        return image

    whole, square, cut = ask(str(files[0])), ask(str(files[0]), "--square", SQUARE), ask(str(files[1]))
    assert square["heads"] == cut["heads"]
    assert square["heads"] != whole["heads"]
    assert (whole["square"], square["square"]) == (None, SQUARE)
    assert main(["predict", str(files[0]), "--square", SQUARE, "--device", "cpu"]) == 0
    assert f"square {SQUARE}" in capsys.readouterr().out


def test_inspect_and_explain_follow_it(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, arguments in {"square": (str(files[0]), "--square", SQUARE), "cut": (str(files[1]),)}.items():
        assert main(["inspect", *arguments, "--device", "cpu", "--out", str(tmp_path / f"{name}.npz")]) == 0
        assert (f"of the square {SQUARE}" in capsys.readouterr().out) == (name == "square")
        more = ("--method", "gradcam", "--out", str(tmp_path / name), "--device", "cpu", "--json")
        assert main(["explain", *arguments, *more]) == 0
        assert json.loads(capsys.readouterr().out)["square"] == (SQUARE if name == "square" else None)
    with np.load(tmp_path / "square.npz") as square, np.load(tmp_path / "cut.npz") as cut:
        for key in cut.files:
            assert_close(square[key], cut[key])
    drawn = np.asarray(Image.open(next((tmp_path / "square").glob("*.png"))).convert("RGB"))
    photo = np.asarray(Image.open(files[0]).convert("RGB"))
    left, top, right, bottom = CORNERS
    changed = (drawn != photo).any(2)
    assert changed[top:bottom, left:right].mean() > 0.9
    changed[top - 4 : bottom + 4, left - 4 : right + 4] = False  # the frame and the line around the strongest
    assert not changed.any()


@pytest.mark.parametrize("square", ["0,0,15", "400,0,100", "0,0", "x"])
@pytest.mark.parametrize("command", ["predict", "inspect", "explain", "report"])
def test_an_impossible_square_is_refused_in_a_sentence(
    files: tuple[Path, Path], tmp_path: Path, command: str, square: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = {"inspect": "a.npz", "explain": "maps", "report": "a.html"}
    where = () if command == "predict" else ("--out", str(tmp_path / out[command]))
    assert main([command, str(files[0]), "--square", square, *where, "--device", "cpu"]) != 0
    assert "inside the photo's 451 × 300 px, with a side of at least 16 px" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
