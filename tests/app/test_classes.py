"""All classes and confusions on the page Model: the rows beside the counts, other weights, no file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.state import known as state
from app.views.model.classes import pair_rows, rows, sentence
from inception_model.analysis.confusions import Confusions, save_confusions
from inception_model.architecture.labels import Label
from inception_model.serving.service import InferenceService
from tests.app.asking import words


@pytest.fixture
def counted(small: InferenceService) -> Confusions:
    """Counts of two heads over 50 images a class; class 6 has none."""
    rng = np.random.default_rng(0)
    heads = {}
    for head in ("aux1", "main"):
        heads[head] = np.stack([rng.multinomial(50, np.ones(7) / 7) if row < 6 else np.zeros(7) for row in range(7)])
    return Confusions("", {head: counts.astype(np.int32) for head, counts in heads.items()}, "validation", "drawn")


@pytest.fixture
def file(counted: Confusions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "random.confusions.json"
    save_confusions(counted, path)
    monkeypatch.setattr(state, "confusions_path", lambda _: path)
    return path


def test_every_class_has_a_row_with_its_counts(small: InferenceService, counted: Confusions) -> None:
    checkpoint = replace(
        small.classifier.checkpoint,
        labels=(Label(0, "n1", "tabby, tabby cat"), *small.classifier.checkpoint.labels[1:6]),
    )
    found = rows(checkpoint, counted, "main")
    counts = counted.heads["main"]
    assert [row["index"] for row in found] == list(range(7))
    assert (found[0]["name"], found[0]["more"], found[0]["words"]) == ("tabby", "tabby cat", "tabby, tabby cat")
    assert (found[6]["name"], found[6]["said"], found[6]["taken"], found[6]["top1"]) == ("class 6", "–", "", None)
    for index in range(6):
        assert found[index]["said"] == f"{counts[index, index] / 50:.0%}"
        others = np.delete(counts[index], index)
        assert found[index]["taken"].endswith(f"({others.max()})")
    pairs = pair_rows(checkpoint, counted, "main")
    off = counts - np.diag(counts.diagonal())
    assert sum(pair["there"] + pair["back"] for pair in pairs) == off.sum()
    assert "1" not in {str(pair["there"] + pair["back"]) for pair in pairs}


def test_without_counts_the_classes_are_listed_all_the_same(small: InferenceService) -> None:
    found = rows(small.classifier.checkpoint, None, None)
    assert [row["name"] for row in found] == [f"thing {index}" for index in range(7)]
    assert "said" not in found[0]


def test_the_page_says_the_worst_in_numbers_and_changes_with_the_head(
    page: Callable[..., AppTest], small: InferenceService, counted: Confusions, file: Path
) -> None:
    test = page("model", beside=None)
    checkpoint = small.classifier.checkpoint
    assert sentence(counted, "main", checkpoint) in words(test)
    test.segmented_control(key="model-classes-head").set_value("aux1")
    assert sentence(counted, "aux1", checkpoint) in words(test.run())


def test_other_weights_and_no_file_are_told(page: Callable[..., AppTest], file: Path) -> None:
    raw = json.loads(file.read_text())
    file.write_text(json.dumps({**raw, "checkpoint": "0" * 64}))
    captions = words(page("model", beside=None))
    assert "No confusions are shown" in captions
    assert "count anew" in captions
    file.unlink()
    captions = words(page("model", beside=None))
    assert "No confusions lie beside this file" in captions
