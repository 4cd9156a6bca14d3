"""A square on the photo: every answer is about it, each of two photos has its own, and another photo has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.figures import attribution_map
from app.jobs.channels import support_of
from app.jobs.first_answers import first_answers_job
from app.state import photos
from app.state.panel import Panel, panels
from app.state.selection import Unit
from app.views.module import channel, preview
from app.views.vote import words as vote_words
from inception_model.analysis.receptive_field import gradient_support
from inception_model.attribution import explain
from inception_model.images.decode import Photo
from inception_model.images.geometry import Box
from inception_model.inference.trace import capture
from inception_model.serving.service import InferenceService
from tests.app.two_photos import CAT, CUP, data
from tests.compare import assert_close

SQUARE, CORNERS = "40,60,200", (40, 60, 240, 260)
CUT = Photo(CAT.image.crop(CORNERS), "cut", "cut")


def test_the_panel_s_answers_are_those_of_the_cut(kept: dict[str, Any], small: InferenceService) -> None:
    plain = panels()[0]
    before = plain.trace().logits("main")
    photos.set_square("", SQUARE)
    panel = panels()[0]
    assert (panel.photo.square, plain.photo.square) == (Box(40, 60, 240, 260), None)
    cut = small.classifier.preprocessing.tensor(CUT.image.resize((224, 224), small.classifier.preprocessing.filter))
    wanted = capture(small.classifier, small.classifier.to_input(cut))
    assert panel.trace().logits("main").equal(wanted.logits("main"))
    assert not before.equal(wanted.logits("main"))
    assert plain.trace().logits("main").equal(before)  # remembered beside it, not instead
    module, unit = small.classifier.checkpoint.spec.module_names[-1], "3x3"
    found = support_of(panel, Unit(module, unit, 0, 1, 1))
    x = small.classifier.to_input(cut)
    assert found is not None
    assert_close(found, gradient_support(small.classifier.twin(), x, module, unit, 0, 1, 1))
    sheet = first_answers_job(photos.aimed(CAT))
    assert sheet.key != first_answers_job(CAT).key


def test_maps_and_clicks_lie_on_the_square(kept: dict[str, Any], small: InferenceService) -> None:
    photos.set_square("", SQUARE)
    panel = panels()[0]
    found = explain(small.classifier, small.classifier.prepare(panel.photo.image, panel.photo.square), "saliency")
    layers = attribution_map.layers(panel, found, 1.0, 640)
    width, height = CAT.size
    assert_close(layers.place, (40 / width, 60 / height, 200 / width, 200 / height))
    assert preview.of_photo(panel)["seen"] == CORNERS
    module = small.classifier.checkpoint.spec.module_names[-1]
    rows, columns = panel.trace().block(module).output.shape[2:]
    unit = Unit(module, "output", 0, 0, 0)
    for x, y, place in ((41, 61, (0, 0)), (239, 259, (rows - 1, columns - 1)), (239, 61, (0, columns - 1))):
        channel.go_to_spot(panel, unit, x / width, y / height)
        assert kept["option.module.spot"][1:] == place


def test_two_photos_keep_theirs_when_they_change_places_and_another_one_has_none(kept: dict[str, Any]) -> None:
    def squares() -> list[tuple[str, str | None]]:
        return [(panel.photo.name, panel.photo.key.partition(" ")[2] or None) for panel in panels()]

    photos.set_square("", SQUARE)
    photos.set_square("beside", "0,0,64")
    assert squares() == [("cat", SQUARE), ("espresso", "0,0,64")]
    photos.select_photo(CUP.sha256)
    assert squares() == [("espresso", "0,0,64"), ("cat", SQUARE)]
    photos.set_beside(CUP.sha256)
    assert squares() == [("cat", SQUARE), ("espresso", "0,0,64")]
    photos.select_photo(CAT.sha256)
    assert squares()[0] == ("cat", SQUARE)
    rocket = next(photo for photo in photos.photos() if photo.name == "rocket")
    photos.select_photo(rocket.sha256)
    assert squares() == [("rocket", None), ("espresso", "0,0,64")]
    photos.set_beside(None)
    photos.set_beside(CUP.sha256)
    assert squares() == [("rocket", None), ("espresso", None)]


def test_a_square_of_a_photo_that_is_not_here_is_no_other_photo_s(kept: dict[str, Any]) -> None:
    kept.update({"photo": "0123456789ab", "beside": None})
    photos.set_square("", SQUARE)
    assert photos.first_photo().sha256 == CAT.sha256
    assert panels()[0].photo.square is None
    assert photos.square_problem("", CAT) == ""


@pytest.mark.parametrize("text", ["400,0,100", "0,0,9", "1,2", "x", "<b>", "<b>1,2,3</b>", "9" * 5000])
def test_an_impossible_square_is_told_and_the_usual_one_is_shown(page: Callable[..., AppTest], text: str) -> None:
    shown = next(sent for sent in data(page("look", beside=None, look__square=text)) if "least" in sent)
    assert "inside the photo's 451 × 300 px, with a side of at least 16 px" in shown["problem"]
    assert (shown["said"], shown["square"]) == ("", shown["usual"])


def test_the_page_is_given_the_square_and_the_exact_input(page: Callable[..., AppTest]) -> None:
    sent = [each for each in data(page("look", look__square=SQUARE)) if "least" in each]
    assert [each["said"] for each in sent] == [SQUARE, ""]
    assert sent[0]["square"] == [40, 60, 200, 200]
    assert sent[0]["input"] != sent[1]["input"]
    assert sent[0]["problem"] == sent[1]["problem"] == ""


def test_votes_say_that_they_are_of_the_whole_photo(kept: dict[str, Any]) -> None:
    assert "whole photo" not in vote_words.cautions(Panel(CAT))
    assert "whole photo" in vote_words.cautions(Panel(CAT.with_square(SQUARE)))
