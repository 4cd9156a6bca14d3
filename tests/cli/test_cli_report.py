"""The command report on a real photo with the bundled checkpoint, beside the commands predict and ledger."""

from __future__ import annotations

import json
import shlex
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from inception_model.cli import main
from tests.compare import assert_close

PATH = ("--steps", "2", "--limit", "8")
"""Of the ledger: its intervals are halved once."""
QUICK = (*PATH, "--method", "gradcam", "--check", "sparseness", "--device", "cpu")


def facts_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def timeless(value: Any) -> Any:
    """The same without what a clock says."""
    if isinstance(value, dict):
        return {name: timeless(part) for name, part in value.items() if name not in ("created", "seconds")}
    return [timeless(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with report.html and facts.json of the cat."""
    folder = tmp_path_factory.mktemp("report")
    page, facts = str(folder / "report.html"), str(folder / "facts.json")
    assert main(["report", "cat", "--out", page, "--manifest", facts, *QUICK]) == 0
    return folder


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--device", "cpu", "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_its_numbers_are_those_of_predict_and_ledger(
    made: Path, photo_paths: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    facts, cat = facts_of(made / "facts.json"), str(photo_paths["cat"])
    heads = answer(capsys, "predict", cat)["images"][0]["heads"]
    for head, said in facts["heads"].items():
        assert [(row["index"], row["label"]) for row in said["top"]] == [
            (row["index"], row["label"]) for row in heads[head]["top"]
        ]
        for ours, theirs in zip(said["top"], heads[head]["top"], strict=True):
            assert ours["probability"] == pytest.approx(theirs["probability"], rel=1e-4)
    ledger = answer(capsys, "ledger", cat, *PATH, "--baseline", "black")
    assert facts["ledger"]["target"] == ledger["target"]
    assert facts["ledger"]["score"] == pytest.approx(ledger["score"], rel=1e-5)
    assert facts["ledger"]["gradients"] == ledger["gradients"] == 8
    for ours, theirs in zip(facts["ledger"]["modules"], ledger["modules"], strict=True):
        assert ours["module"] == theirs["module"]
        assert_close(list(ours["branches"].values()), list(theirs["branches"].values()))
    assert facts["network"]["sha256"] == ledger["sha256"]
    assert facts["versions"]["torch"] == metadata.version("torch")


def test_the_command_in_it_makes_it_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = facts_of(made / "facts.json")
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(facts["command"])
    assert arguments[:3] == ["python", "-m", "inception_model"]
    assert main([*arguments[3:], "--json"]) == 0
    assert timeless(json.loads(capsys.readouterr().out)) == timeless(facts)
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>") or page.lstrip().startswith("<!doctype html>")
    assert 200_000 < len(page) < 6_000_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["letter.png"], "letter.png is not an image"),
        (["nowhere.png"], "nowhere.png can't be read"),
        (["cat", "--out", "no/such/report.html"], "the folder no/such does not exist"),
        (["cat", "--manifest", "."], "is a folder"),
        (["cat", "--method", "magic"], "unknown method 'magic'; allowed: saliency"),
        (["cat", "--module", "6a"], "unknown module '6a'; allowed: 3a"),
        (["cat", "--option", "paces=3"], "unknown option 'paces'; the chosen methods have: rule, steps"),
        (["cat", "--target", "unicorn"], "no class 'unicorn'"),
    ],
)
def test_what_can_not_be_is_said_in_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("letter.png").write_text("This is a letter.")
    before = sorted(tmp_path.iterdir())
    assert main(["report", arguments[0], "--out", "report.html", "--device", "cpu", *arguments[1:]]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.strip().count("\n") == 0
    assert captured.out == ""
    assert sorted(tmp_path.iterdir()) == before
