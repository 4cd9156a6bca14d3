"""The command patch on two real photos with the bundled checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inception_model.cli import main

NAMES = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]


def test_two_photos_and_what_turns_the_answer(photo_paths: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    photos = [str(photo_paths[name]) for name in ("cat", "espresso")]
    assert main(["patch", *photos, "--device", "cpu", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["module"] for row in answer["modules"]] == NAMES
    assert answer["score_a"] > 0 > answer["score_b"]
    assert answer["turn"]["turned"]
    assert 1 <= len(answer["turn"]["steps"]) <= 4
    assert main(["patch", *photos, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "To turn the answer, carry over " + answer["turn"]["steps"][0]["part"] in said
    assert f"{answer['modules'][-1]['effects']['1x1']:+.0%}" in said


@pytest.mark.parametrize(("target", "said"), [("3", "names one"), ("auto", "for both photos")])
def test_what_cannot_be_turned_is_said(
    photo_paths: dict[str, Path], capsys: pytest.CaptureFixture[str], target: str, said: str
) -> None:
    cat = str(photo_paths["cat"])
    assert main(["patch", cat, cat, "--target", target, "--head", "aux1", "--device", "cpu"]) == 2
    assert said in capsys.readouterr().err
