"""The contact sheet: every photo's answers, computed only when asked for, driven on a tiny network."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.views.look import contact_sheet
from inception_model.architecture.variants import tiny
from inception_model.images.decode import Photo
from inception_model.serving.service import InferenceService
from tests.app.asking import good
from tests.app.two_photos import CAT, done, words
from tests.random_networks import random_classifier


def test_the_sheet_is_not_there_before_it_is_asked_for(page: Callable[..., AppTest]) -> None:
    test = page("look", beside=None)
    assert "photos at a glance" not in words(test)
    assert not test.session_state["scope.works"] if "scope.works" in test.session_state else True


def test_the_sheet_holds_every_photo_and_keeps_no_maps(
    page: Callable[..., AppTest], small: InferenceService, photo_paths: dict[str, Path]
) -> None:
    test = page("look", beside=None)
    pictures = [(f"{name}.jpg", photo_paths[name].read_bytes() + b"  ") for name in ("cat", "rocket")]
    test.file_uploader[0].set_value([(name, data, "image/png") for name, data in pictures])
    done(good(test.run()))
    assert "Your photos at a glance" in words(test), "two uploads at once open it"
    everything: list[Photo] = [held.photo for held in test.session_state["scope.uploads"]]
    assert len(everything) == 2, "the samples are not counted"
    found = [small.recall(("", ("sheet", photo.sha256, False))) for photo in everything]
    for photo, says in zip(everything, found, strict=True):
        heads = small.classifier.heads_of(small.classifier.prepare(photo.image))
        assert list(says) == ["aux1", "aux2", "main"]
        for head, answer in says.items():
            best = small.classifier.top(getattr(heads, head)[0], head, 1)[0]
            assert (answer.index, answer.label) == (best.index, best.label)
            assert answer.probability == pytest.approx(best.probability, rel=1e-5)
    assert sum(small.known_look(photo.sha256) is not None for photo in everything) == 1, (
        "only the chosen one is looked at"
    )

    rows = [contact_sheet.Row(photo, says) for photo, says in zip(everything, found, strict=True)]
    lines = list(csv.DictReader(io.StringIO(contact_sheet.sheet_csv(rows))))
    assert [line["sha256"] for line in lines] == [photo.sha256 for photo in everything]
    assert [float(line["main_probability"]) for line in lines] == pytest.approx([row.sure for row in rows], rel=1e-4)
    agree = sum(len({answer.index for answer in row.says.values()}) == 1 for row in rows)
    assert f"the heads agree on {agree} of {len(everything)} photos" in words(test)


def test_agreement_in_words() -> None:
    answers = random_classifier(tiny()).top(small_logits(), "main", 3)
    a, b, c = answers
    told = {
        "agree": (a, a, a), "2 of 3": (a, b, a), "all differ": (a, b, c),
    }  # fmt: skip
    for words_, says in told.items():
        row = contact_sheet.Row(CAT, dict(zip(("aux1", "aux2", "main"), says, strict=True)))
        assert row.in_words == words_
        assert row.sure == says[-1].probability
    assert contact_sheet.Row(CAT, {"main": a}).in_words == "one head"


def small_logits() -> Any:
    """Any ranking of the tiny network's seven classes."""
    import torch

    return torch.arange(7.0)
