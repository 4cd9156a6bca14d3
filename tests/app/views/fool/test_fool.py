"""The page Fool on the tiny network: what it says beside the library, its charts beside their data, its choices."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.charts import fooling as charts
from app.jobs.fooling import BEST
from app.views.fool import words
from inception_model.architecture.spec import HEADS
from inception_model.drawing.numbers import number, percent
from inception_model.drawing.palette import COLOURS
from inception_model.images.disturbances import DISTURBANCES, disturbed
from inception_model.images.surroundings import surroundings
from inception_model.inference.classifier import Answer
from inception_model.robustness.asking import AttackQuestion, Fooled, fool
from inception_model.robustness.strengths import Strengths, ask_strengths
from inception_model.serving.service import InferenceService
from tests.app.asking import good
from tests.app.chart_data import ask_for_charts, drawn, named
from tests.app.two_photos import CAT, done
from tests.app.two_photos import words as told
from tests.compare import assert_close
from tests.random_networks import random_probes

Open = Callable[..., AppTest]
QUESTION = AttackQuestion("aux2", None, "linf", 8)


def label(index: int) -> str:
    return f"thing {index}, another name"


@pytest.fixture(scope="module")
def swept() -> Strengths:
    """Of a rotation: main turns at -10 and at 15 degrees, aux2 at 90, aux1 never."""
    scale = DISTURBANCES["rotation"].strengths
    chances = torch.rand(len(scale), 7, generator=torch.Generator().manual_seed(4))
    return Strengths(
        "rotation",
        dict.fromkeys(HEADS, chances),
        {
            "aux1": (3,) * len(scale),
            "aux2": tuple(5 if strength == 90 else 3 for strength in scale),
            "main": tuple(1 if strength <= -10 else 2 if strength >= 15 else 0 for strength in scale),
        },
    )


@pytest.fixture(scope="module")
def fooled(small: InferenceService) -> Fooled:
    classifier = small.classifier
    square = surroundings(CAT.image, classifier.preprocessing).moved()
    return fool(classifier, square, QUESTION, random_probes(classifier))


def test_the_page_says_what_the_library_finds(page: Open, small: InferenceService, fooled: Fooled) -> None:
    chosen = {"fool__blur": 2.0, "fool__rotation": -30.0, "fool__head": "aux2", "fool__bound": 8}
    test = good(ask_for_charts(done(page("fool", beside=None, **chosen))).run())
    classifier = small.classifier
    square = disturbed(surroundings(CAT.image, classifier.preprocessing), {"blur": 2.0, "rotation": -30.0})
    heads = classifier.heads_of(classifier.preprocessing.tensor(square))
    said = told(test)
    for head in classifier.trained_heads:
        for answer in classifier.top(heads.of(head)[0], head, BEST):
            assert f"{answer.label} {percent(answer.probability)}" in said
    alts = [element.proto.alt for element in test.get("plotly_chart")]
    assert len(alts) == len(DISTURBANCES)
    grey = ask_strengths(classifier, surroundings(CAT.image, classifier.preprocessing), "grey")
    assert charts.strengths_words(grey, lambda index: classifier.checkpoint.label(index).words) in alts
    slider = test.select_slider(key="fool-rotation")
    assert slider.value == -30

    test.button(key="fool-clear").click()
    assert test.run().select_slider(key="fool-rotation").value == 0
    assert told(good(test)).count("was thing") == 0
    test.button(key="start-fool-attack").click()
    said = told(done(good(test.run())))
    assert f"aux2 says {fooled.after.label} instead of {fooled.before.label}" in said
    assert f"no value changes by more than {number(fooled.change.size)}/255" in said
    assert "4a aux1" in said
    assert "5b main" in said


def test_a_chart_of_strengths_holds_the_answers_probabilities(swept: Strengths) -> None:
    figure = charts.strengths_figure(swept, label)
    for head in swept.answers:
        [line], [flips] = named(figure, head), named(figure, f"{head} flips")
        assert_close(line["y"], swept.probabilities[head][:, swept.clean(head)])
        assert line["line"]["color"] == COLOURS[head][0]
        scale = swept.kind.strengths
        assert [scale[place] for place in flips["x"]] == [flip.strength for flip in swept.flips(head)]
        assert flips["y"] == [line["y"][place] for place in flips["x"]]
    assert [flip.strength for flip in swept.flips("main")] == [-10, 15], "the nearer one first"
    assert figure.layout.height == charts.HEIGHT
    names = [note["text"] for note in drawn(figure)["layout"]["annotations"]]
    assert names == ["−90°", "0°", "90°"]


def test_the_chart_of_the_depth_holds_every_lead(fooled: Fooled) -> None:
    depth, modules = fooled.depth, list(fooled.depth.apart)
    figure = charts.depth_figure(depth, modules, label)
    [photo], [changed] = named(figure, "photo"), named(figure, "changed")
    assert [modules[place - 1] for place in photo["x"]] == [each.module for each in depth.probed]
    assert photo["y"] == [each.lead.clean for each in depth.probed]
    assert changed["y"] == [each.lead.disturbed for each in depth.probed]
    for each in depth.heads:
        [stem] = named(figure, each.name)
        assert stem["y"] == [each.lead.clean, each.lead.disturbed]
        assert stem["line"]["color"] == COLOURS[each.name][0]
    assert depth.turn is not None
    notes = [note["text"] for note in drawn(figure)["layout"]["annotations"]]
    assert notes[-1] == f"<b>turns at {depth.turn.module}</b>"
    aloud = charts.depth_words(depth, label)
    assert all(f"{each.name} after {each.module}" in aloud for each in depth.readings)


def test_what_was_not_found_is_said_to_be_a_miss(small: InferenceService) -> None:
    classifier = small.classifier
    square = surroundings(CAT.image, classifier.preprocessing).moved()
    missed = fool(classifier, square, AttackQuestion("main", None, "l2", 1e-3, 1))
    assert words.attack_words(missed) == (
        "No change up to 0.001/255 was found that makes main say something else: what is shown is the nearest miss."
    )
    assert words.turn_words(missed).startswith("The answer does not turn. The activations differ by 0.0% after 3a")


def test_the_sentence_names_the_weakest_of_each(kept: dict[str, object], swept: Strengths) -> None:
    answer = Answer(0, "n0", label(0), 0.4, 1.0)
    assert words.sentence([swept], "main", answer) == "main says thing 0, 40%. Enough to turn it: rotation −10°."
    assert words.sentence([swept], "aux1", answer) == "aux1 says thing 0, 40%. Not turned at any strength: rotation."
    assert words.sentence([], "main", answer).endswith("until it says something else?")
    flips = re.sub(r"<[^>]+>|\s+", " ", str(words.flips_html(swept))).split()
    assert " ".join(flips) == "main → thing 1 at −10°, thing 2 at 15° aux2 → thing 5 at 90° aux1 stays"
