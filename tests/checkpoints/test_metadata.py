"""What this project's own files say of themselves: cleaned where it acts, refused before a training, told in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from inception_model import cli
from inception_model.architecture.labels import Label
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.formats import read
from inception_model.checkpoints.metadata import require_storable
from tests.checkpoints.hostile.metadata_files import FILES, with_texts

TOLD = {
    "accuracy that is a text": "the metadata's 'accuracy' is wrong: it is a text",
    "accuracy in words": "top1 of main is a text, where a number from 0 to 1 is expected",
    "labels that are nothing": "the metadata's 'labels' is wrong: it is nothing",
    "a spec 5,000 deep": "the metadata's 'spec' is wrong: it is nested too deeply",
    "a mean of texts": "mean is a text",
}


def test_texts_keep_their_letters_and_lose_what_acts(tmp_path: Path) -> None:
    rows = [
        {"index": 0, "wnid": "n0", "words": "\x1b[2Jcat\x00\u202egod"},
        {"index": 1, "wnid": "n1", "words": "चित्र, 猫, naïve, 🐱‍👤"},
        *({"index": n, "wnid": f"n{n}", "words": "a\tb\nc"} for n in (2, 3, 4)),
    ]
    path = tmp_path / "odd.safetensors"
    with_texts(labels=json.dumps(rows), card="# Card\n\x1b[1m", source="here\x07")(path)
    found = read(path)
    assert [label.words for label in found.labels[:3]] == ["�[2Jcat��god", "चित्र, 猫, naïve, 🐱‍👤", "a\tb\nc"]
    assert (found.card, found.source) == ("# Card\n�[1m", "here�")


def test_only_the_shares_of_accuracy_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "more.safetensors"
    FILES["accuracy with more beside it"].write(path)
    assert read(path).accuracy == {"main": {"top1": 0.0, "top5": 1.0}}


@pytest.mark.parametrize("words", ["x" * 1001, None])
def test_labels_that_no_file_could_hold_are_refused_before_a_training(words: str | None) -> None:
    require_storable((Label(0, "n0", "x" * 1000),))
    with pytest.raises(CheckpointError, match="'labels' is wrong: a label's words"):
        require_storable((Label(0, "n0", words),))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TOLD)
def test_commands_tell_wrong_metadata_in_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, photo = tmp_path / "wrong.safetensors", tmp_path / "grey.png"
    FILES[name].write(path)
    Image.new("RGB", (32, 32), "grey").save(photo)
    for words in (["checkpoints", "show", str(path)], ["predict", str(photo), "--checkpoint", str(path)]):
        assert cli.main(words) == 2
        said = capsys.readouterr()
        assert not said.out
        assert TOLD[name] in said.err
        assert len(said.err.strip().splitlines()) == 1
