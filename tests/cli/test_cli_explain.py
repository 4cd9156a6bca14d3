"""The command explain on a real photo with the bundled checkpoint: three files, honest numbers, clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inception_model.attribution import METHODS
from inception_model.checkpoints.store import load
from inception_model.cli import main
from tests.compare import assert_close


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "cat.png"
    Image.fromarray(skimage.data.chelsea()).save(path)
    return path


def ask(cat: Path, out: Path, *more: str) -> int:
    return main(["explain", str(cat), "--device", "cpu", "--out", str(out), *more])


def test_gradcam_of_a_branch_writes_overlay_arrays_and_numbers(
    cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--method", "gradcam", "--layer", "4d:5x5", "--head", "aux2", "--target", "3-7", "--json")
    assert ask(cat, tmp_path / "maps", *arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["method"], answer["head"], answer["layer"]) == ("gradcam", "aux2", "4d:5x5")
    assert (answer["target"]["index"], answer["target"]["minus"]) == (3, 7)
    assert (answer["baseline"], answer["baseline_score"], answer["completeness_error"]) == (None, None, None)
    with np.load(answer["files"]["npz"]) as arrays:
        assert arrays["values"].shape == (64, 14, 14)
        assert_close(arrays["values"].sum(), answer["sum"], scale=float(np.abs(arrays["values"]).sum()))
        assert_close(arrays["heatmap"], arrays["values"].sum(0))
    with Image.open(answer["files"]["png"]) as overlay, Image.open(cat) as photo:
        assert overlay.size == photo.size
        view = load("tiny-imagenet").preprocessing.view(photo.size)
        changed = (np.asarray(overlay.convert("RGB")) != np.asarray(photo.convert("RGB"))).any(2)
        assert changed[:, int(view.left) + 2 : int(view.right) - 2].mean() > 0.9
        assert not changed[:, : int(view.left) - 4].any()  # but for the frame and the line
    written = json.loads(Path(answer["files"]["json"]).read_text())
    assert written["score"] == answer["score"]
    assert written["files"] == answer["files"]


def test_integrated_gradients_says_what_its_sum_misses(
    cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--method", "integrated_gradients", "--baseline", "blur", "--option", "steps=10")
    arguments += ("--option", "rule=gauss-legendre")
    assert ask(cat, tmp_path, *arguments) == 0
    text = capsys.readouterr().out
    answer = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert answer["options"] == {
        **METHODS["integrated_gradients"].defaults, "rule": "gauss-legendre", "steps": 10,
    }  # fmt: skip
    assert answer["integration"]["words"] == "The gauss-legendre rule with 10 points."
    assert answer["integration"]["words"] in text
    assert "trust" not in answer
    missed = answer["sum"] - (answer["score"] - answer["baseline_score"])
    assert answer["completeness_error"] == pytest.approx(
        abs(missed) / abs(answer["score"] - answer["baseline_score"]), rel=1e-3
    )
    assert answer["completeness_error"] < 0.05
    assert answer["seconds"] > 0
    assert "completeness error" in text
    assert answer["target"]["name"] in text
    with np.load(next(tmp_path.glob("*.npz"))) as arrays:
        assert arrays["baselines"].shape == (1, 3, 224, 224)


def test_lrp_says_where_the_score_went(cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--option", "composite=gamma", "--option", "through=4d:5x5:17")
    assert ask(cat, tmp_path, "--method", "lrp", "--head", "aux2", *options) == 0
    text = capsys.readouterr().out
    answer = json.loads(next(tmp_path.glob("*.json")).read_text())
    sums = answer["conservation"]
    assert sums["words"] in text
    assert sums["closes"]
    absorbed = sum(row["bias"] + row["stabiliser"] for row in sums["layers"])
    held = sums["pixels"] + absorbed + sums["set_aside"]
    assert_close(held, sums["score"], 1e-4)
    assert_close(sums["score"], answer["score"], 1e-4)
    rules = {row["layer"]: row["rule"] for row in sums["layers"]}
    assert [rules[name] for name in ("conv1", "3a.5x5", "4d.1x1", "aux2.fc")] == [
        *("z-box", "gamma 0.25", "epsilon 0.25 of the rms", "epsilon 1e-06"),
    ]
    top = sums["modules"][0]
    assert (top["module"], sums["through"]) == ("4d", "4d:5x5:17")
    with np.load(answer["files"]["npz"]) as arrays:
        channels = arrays["relevance_4d"]
        assert_close(channels.sum(), sum(top["reached"].values()), scale=float(np.abs(channels).sum()))
        assert_close(top["kept"]["5x5"], channels[112 + 288 + 17], 1e-6)
        assert_close(arrays["values"].sum(), sums["pixels"], scale=float(np.abs(arrays["values"]).sum()))


def test_checks_say_how_far_the_map_moves(cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--option", "steps=5", "--head", "aux1", "--check", "completeness")
    arguments += ("--check", "convergence")
    assert ask(cat, tmp_path, *arguments) == 0
    text = capsys.readouterr().out
    found = json.loads(next(tmp_path.glob("*.json")).read_text())["trust"]["evidence"]
    assert [check["name"] for check in found] == ["completeness", "convergence"]
    assert (found[1]["numbers"]["points"], found[1]["numbers"]["more"]) == (5, 10)
    assert 0 < found[1]["numbers"]["moved"] < 1
    assert all(check["sentence"] in text for check in found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "lrp", "--option", "through=4d:5x5:64"), ("channels 0 to 63",)),
        (("--method", "lrp", "--option", "composite=lrp"), ("epsilon-plus-flat",)),
        (("--method", "magic"), METHODS),
        (("--head", "neck"), ("aux1", "aux2", "main")),
        (("--target", "unicorn"), ("unicorn", "WordNet id")),
        (("--method", "gradcam", "--layer", "9z"), ("3a", "5b")),
        (("--check", "vibes"), ("completeness", "convergence")),
        (("--option", "rule=simpson"), ("midpoint", "gauss-legendre", "adaptive")),
        (("--baseline", "pink"), ("black", "mean", "blur", "noise")),
        (("--option", "steps"), ("NAME=VALUE",)),
        (("--option", "steps=5", "--option", "steps=6"), ("NAME=VALUE",)),
        (("--option", "stride=5"), ("steps", "precision")),
        (("--option", "steps=none"), ("2 to 1000",)),
    ],
)
def test_unknown_names_list_the_allowed_ones(
    arguments: tuple[str, ...], words: tuple[str, ...], cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(cat, tmp_path / "none", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert all(word in error for word in words)
    assert not (tmp_path / "none").exists()


def test_help_lists_every_method_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    text = capsys.readouterr().out
    for method in METHODS.values():
        assert f"  {method.name}  (about" in text
        assert all(f"{option.name}={option.default}" in text for option in method.options)


def test_checks_are_run_on_request_with_their_cost_and_spread(
    cat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", str(cat), "--method", "gradcam", "--out", str(tmp_path), "--device", "cpu"]
    asked = [*command, "--check", "random logit", "--check", "sparseness"]
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "as long as about" in said
    assert "over 5 seeds" in said
    assert "Trust: passes 1 of 1 checks." in said
    assert main([*asked, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [found["name"] for found in answer["trust"]["evidence"]] == ["random logit", "sparseness"]
    assert len(answer["trust"]["evidence"][0]["spread"]["values"]) == 5
    assert main([*command, "--check", "vibes"]) != 0
    assert "allowed: completeness" in capsys.readouterr().err


def test_an_empty_map_passes_no_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    black = tmp_path / "black.png"
    Image.new("RGB", (224, 224)).save(black)
    method = ["--method", "integrated_gradients", "--option", "steps=2", "--check", "completeness"]
    assert ask(black, tmp_path, *method) == 0
    assert "Trust: no verdict: the map is empty." in capsys.readouterr().out
