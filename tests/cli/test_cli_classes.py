"""`checkpoints classes`: every answer that a network can give, searched by words."""

from __future__ import annotations

import json

import pytest

from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.cli import main


def test_classes_are_found_by_words_in_any_order(
    bundled_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["checkpoints", "classes", "tiny-imagenet", "Retriever", "golden", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["of"] == len(bundled_checkpoint.labels)
    assert [row["words"] for row in told["classes"]] == [
        label.words for label in bundled_checkpoint.labels if "golden" in label.words and "retriever" in label.words
    ]
    wnid = bundled_checkpoint.labels[7].wnid
    assert main(["checkpoints", "classes", "tiny-imagenet", wnid]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"    7  {wnid}  {bundled_checkpoint.labels[7].words}", "1 of 200 classes"
    ]  # fmt: skip
    assert main(["checkpoints", "classes", "tiny-imagenet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 201
