"""The sentence above the heads on Look and Heads, and the files that it comes from, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.figures.doubt import doubt_html
from app.state import known as state
from inception_model.analysis.doubt import Doubt, doubt_of
from inception_model.analysis.ood_file import load_known, save_known
from inception_model.serving.service import InferenceService
from tests.analysis.test_ood import learnt
from tests.app.asking import words
from tests.app.two_photos import CAT, CUP


@pytest.fixture
def file(small: InferenceService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the tiny network's classes look like (clouds far from any photo), where the app looks for it."""
    path = tmp_path / "random.ood.safetensors"
    save_known(learnt(small.classifier), path)
    monkeypatch.setattr(state, "known_path", lambda _: path)
    return path


def said(page: AppTest) -> list[str]:
    text = words(page)
    return [part for part in ("Unlike anything", "Unsure:") if part in text]


@pytest.mark.parametrize("name", ["look", "heads"])
def test_the_sentence_stands_above_the_heads_of_either_photo(
    page: Callable[..., AppTest], small: InferenceService, file: Path, name: str
) -> None:
    known = load_known(file, small.classifier.checkpoint)
    text = words(page(name))
    sentences = [doubt_of(small.classifier, small.look(photo).trace, known) for photo in (CAT, CUP)]
    for doubt in sentences:
        assert doubt is not None
        assert doubt.unlike
        assert text.count(" ".join(doubt.sentence.split())) or doubt.sentence.split(":")[1].strip() in text
    assert text.index("Unlike anything") < text.index("after 4a")


def test_without_a_file_nothing_is_said_of_likeness(
    page: Callable[..., AppTest], small: InferenceService, file: Path
) -> None:
    file.unlink()
    doubt = doubt_of(small.classifier, small.look(CAT).trace, None)
    assert doubt is not None
    assert said(page("look", beside=None)) == (["Unsure:"] if doubt.unsure else [])


def test_a_wrong_file_is_told_on_the_page_model_and_changes_nothing_else(
    page: Callable[..., AppTest], file: Path
) -> None:
    file.write_bytes(b"nothing of the kind")
    assert "Unlike anything" not in said(page("look", beside=None))
    captions = words(page("model", beside=None))
    assert "Photos unlike its classes are not told: what random.ood.safetensors says" in captions
    assert "can't be used" in captions


def test_the_page_model_says_how_well_it_works(
    page: Callable[..., AppTest], small: InferenceService, file: Path
) -> None:
    known, text = load_known(file, small.classifier.checkpoint), words(page("model", beside=None))
    for marks in known.marks.values():
        assert f"{marks.pictures:.3f}" in text
        assert f"{marks.classes:.3f}" in text
    assert "A photo is called unlike anything it was trained on where its distance score exceeds that of 95%" in text


def test_labels_in_the_sentence_are_text() -> None:
    html = str(doubt_html(Doubt(None, None, True, "Unsure: its first answer is <img src=x>, 28%.")))
    assert "<b>Unsure:</b> its first answer is &lt;img src=x&gt;, 28%." in html
