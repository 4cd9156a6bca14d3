"""What of one photo turns the answer for another: the section of the page Why, driven on a tiny network."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from app.charts.patching import patching_figure
from inception_model.analysis.patching import patch_effects
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.images.samples import sample_photo
from inception_model.inference.targets import Target
from inception_model.serving.service import InferenceService
from tests.app.asking import good
from tests.app.two_photos import CAT, CUP, done, words
from tests.compare import assert_close

TITLE = "What must be carried over to turn the answer"


def test_two_photos_get_a_heat_chart_and_a_sentence(page: Callable[..., AppTest], small: InferenceService) -> None:
    test = done(page("why", CUP.sha256, why__target="contrast", why__class="2", why__minus="5"))
    assert TITLE in words(test)
    assert "forward passes" in words(test)
    [button] = [button for button in test.button if button.label == "Carry each branch over"]
    button.click()
    test = done(good(test.run()))
    a, b = (small.look(photo).trace for photo in (CAT, CUP))
    goal = Target.parse("2-5", small.classifier.checkpoint.labels, a.logits("main")[0])
    wanted = patch_effects(small.classifier, a, b, "main", goal)
    [chart] = [c for c in test.get("plotly_chart") if c.proto.alt.startswith("How far each branch carries")]
    [drawn] = json.loads(chart.proto.spec)["data"]
    assert_close(patching_figure(wanted).data[0]["z"], wanted.effects, 1e-6)
    assert drawn["x"] == [BRANCH_NAMES[kind] for kind in BRANCHES]
    part, effect = wanted.strongest
    assert f"Alone, {BRANCH_NAMES[part.branch]} of {part.module} goes furthest: {effect:.0%} of the way" in words(test)  # type: ignore[index]


def test_one_photo_has_no_such_section(page: Callable[..., AppTest]) -> None:
    assert TITLE not in words(done(page("why", None)))


def test_two_photos_with_one_answer_are_told_to_name_a_contrast(
    page: Callable[..., AppTest], small: InferenceService
) -> None:
    rocket = sample_photo("rocket")
    found = [int(small.look(photo).trace.logits("main").argmax()) for photo in (CAT, CUP, rocket)]
    same = next((photo for photo, index in zip((CUP, rocket), found[1:], strict=True) if index == found[0]), None)
    assert same is not None, f"a random network with few classes: {found}"
    test = done(page("why", same.sha256))
    assert "main says the same for both photos" in words(test)


def test_colours_are_the_houses_from_end_to_end(small: InferenceService) -> None:
    a, b = (small.look(photo).trace for photo in (CAT, CUP))
    found = patch_effects(small.classifier, a, b, "main", Target(2, 5))
    trace = patching_figure(found).data[0]
    scale = [(float(place), colour) for place, colour in trace["colorscale"]]
    assert [scale[0], scale[8], scale[-1]] == [
        (0.0, "rgb(5, 48, 97)"), (0.5, "rgb(255, 255, 255)"), (1.0, "rgb(103, 0, 31)")
    ]  # fmt: skip
    assert trace["zmax"] == -trace["zmin"] == pytest.approx(float(found.effects.abs().max()))
