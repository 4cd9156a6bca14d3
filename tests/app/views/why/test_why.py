"""The page Why and the ablation on the page Module: choices become answers, which are the library's own numbers."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import json
import re
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.figures import attribution_map, trust_badge
from app.jobs import attribution, conductance
from app.state import network
from app.state.panel import Panel
from app.views.why.choices import in_words
from inception_model.analysis.ablation import FILLS, Ablation, Fill, ablate, fill_means
from inception_model.analysis.conductance import credit_ledger, exact_split
from inception_model.attribution import METHODS, Attribution, explain
from inception_model.attribution.reading import PAPERS
from inception_model.drawing.colormaps import FOR
from inception_model.drawing.numbers import signed, signed_number
from inception_model.images.baselines import baseline
from inception_model.images.decode import Photo
from inception_model.inference.targets import Target
from inception_model.serving.service import InferenceService
from inception_model.trust import CHECKS
from tests.app.asking import FAST, PHOTO, best, done, good, opened, question, recalled, small, words
from tests.compare import assert_close

__all__ = ["opened", "small"]  # fixtures


def test_a_map_is_the_librarys_and_its_numbers_are_on_the_page(
    small: InferenceService, opened: Callable[..., AppTest], relative: Callable[..., float]
) -> None:
    page = done(opened("why", why__method="integrated_gradients", why__baseline="blur", **{
        name.replace(".", "__"): value for name, value in FAST.items()
    }), "why-map")  # fmt: skip
    asked = dataclasses.replace(question("integrated_gradients", best(small), steps=4), baseline="blur")
    found: Attribution = recalled(small, asked.key)
    x = small.classifier.prepare(PHOTO.image)
    wanted = explain(small.classifier, x, "integrated_gradients", baseline="blur", options={"steps": 4})
    assert relative(found.values, wanted.values) < 1e-5
    text = words(page)
    assert f"What speaks for {found.target.name}" in text
    assert f"{signed(wanted.score)} logits for {found.target.name} at main" in text
    assert f"{signed(wanted.total)}: all values" in text
    assert f"{wanted.completeness_error:.2%} off" in text
    assert METHODS["integrated_gradients"].reading in text
    passes = METHODS["integrated_gradients"].cost({"steps": 4})
    assert f"As long as {passes:.0f} forward passes, here about " in text
    assert "As long as 1 forward pass, here about " in words(opened("why", why__method="gradcam"))
    assert small.estimates.seconds(asked.kind, asked.cost) != asked.cost * small.pass_seconds()  # learnt from its maps
    assert "The midpoint rule with 4 points." in text


def test_lrp_through_one_channel_is_chosen_step_by_step(
    small: InferenceService, opened: Callable[..., AppTest], relative: Callable[..., float]
) -> None:
    page = done(opened("why", why__method="lrp"), "why-map")
    assert page.selectbox(key="why-lrp-through-module").value == "all"
    assert not [box for box in page.selectbox if box.key == "why-lrp-through-branch"]
    page.selectbox(key="why-lrp-composite").select("epsilon-plus-flat")
    page.selectbox(key="why-lrp-through-module").select("4d")
    good(page.run()).selectbox(key="why-lrp-through-branch").select("3x3")
    good(page.run()).number_input(key="why-lrp-through-channel").set_value(12)
    page = done(good(page.run()), "why-map")
    chosen = {"composite": "epsilon-plus-flat", "through": "4d:3x3:12"}
    found: Attribution = recalled(small, question("lrp", best(small), **chosen).key)
    wanted = explain(small.classifier, small.classifier.prepare(PHOTO.image), "lrp", options=chosen)
    assert relative(found.values, wanted.values) < 1e-5
    sums = wanted.conservation
    assert sums is not None
    text = words(page)
    assert sums.sentence in text
    assert in_words(question("lrp", best(small), **chosen)).startswith("LRP (relevance) through 4d:3x3:12 · main")
    for row in sums.modules:
        assert all(signed_number(value) in text for value in (*row.reached, row.total))
    for layer in sums.layers:
        assert all(signed_number(value) in text for value in (layer.bias, layer.stabiliser))
    assert signed_number(sums.biases) in text
    page.selectbox(key="why-lrp-through-branch").select("1x1")  # which is narrower here: the channel gives way
    assert good(page.run()).number_input(key="why-lrp-through-channel").value is None
    page.selectbox(key="why-lrp-through-module").select("all")
    good(page.run())
    assert page.session_state["scope.option.why.lrp.through"] == "all"


def test_a_condition_that_another_head_does_not_see_is_dropped_for_it(
    small: InferenceService, opened: Callable[..., AppTest]
) -> None:
    page = done(opened("why", why__method="lrp", why__lrp__through="4e:1x1", why__gallery="heads"), "why-gallery")
    assert not page.warning
    ways = {"main": "4e:1x1", "aux2": "all"}
    for head, through in ways.items():
        asked = attribution.ask("lrp", head, best(small), None, "black", {"through": through})  # type: ignore[arg-type]
        found: Attribution = recalled(small, asked.key)
        assert (found.head, found.options["through"]) == (head, through)


def test_the_gallery_shows_every_method(small: InferenceService, opened: Callable[..., AppTest]) -> None:
    fast = {name.replace(".", "__"): value for name, value in FAST.items()}
    page = opened("why", why__method="saliency", why__methods=tuple(METHODS), why__shared=True, **fast)
    if any(button.label.startswith("Compare") for button in page.button):
        page.button(key="start-why-gallery").click().run()
    done(page, "why-gallery")
    for name in METHODS:
        options = {
            option.name: FAST.get(f"why.{name}.{option.name}", option.default) for option in METHODS[name].options
        }
        assert recalled(small, question(name, best(small), **options).key) is not None, name
    assert set(PAPERS) == set(METHODS)


def test_the_heads_side_by_side_are_the_trained_ones(small: InferenceService, opened: Callable[..., AppTest]) -> None:
    page = done(opened("why", why__gallery="heads"), "why-gallery")
    target = best(small)
    assert "aux2, main" in words(page)
    for head, layer in (("aux2", "4d"), ("main", "5b")):
        found = recalled(small, attribution.ask("gradcam", head, target, layer, "black").key)  # type: ignore[arg-type]
        assert (found.head, found.layer, found.target.index) == (head, layer, target.index)


def test_a_head_that_was_never_trained_is_named_and_refused(opened: Callable[..., AppTest]) -> None:
    page = opened("why", why__head="aux1")
    assert "aux1 (never trained)" in page.button_group(key="why-head").options
    assert "was never trained" in page.warning[0].value
    assert "What speaks for thing" not in words(page)


def test_a_contrast_is_explained_as_a_difference(small: InferenceService, opened: Callable[..., AppTest]) -> None:
    page = opened("why", why__target="contrast", why__class="2", why__minus="5")
    page.selectbox(key="why-minus").select("4")
    done(good(page.run()), "why-map")
    logits = small.look(PHOTO).trace.logits("main")[0]
    found = recalled(small, question("gradcam", Target(2, 4, "thing 2 − thing 4")).key)
    assert_close(found.score, float(logits[2] - logits[4]), scale=float(logits.norm()))
    assert "What speaks for thing 2 − thing 4" in words(page)
    split = exact_split(small.classifier, small.look(PHOTO).trace, Target(2, 4))
    assert all(signed(value) in words(page) for value in split.branches[0].tolist())


@pytest.mark.parametrize(("typed", "heading"), [("thing 3", "thing 3"), ("n00000003", "thing 3"), ("3-1", "thing 3 −")])
def test_a_class_can_be_typed(opened: Callable[..., AppTest], typed: str, heading: str) -> None:
    page = opened("why", why__target="class", why__class=typed)
    assert f"What speaks for {heading}" in words(page)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"why__class": "unicorn"}, "no class 'unicorn'"),
        ({"why__class": "77"}, "class 77 is not there; allowed: 0 to 6"),
        ({"why__target": "contrast", "why__class": "3", "why__minus": "3"}, "its score is always 0"),
    ],
)
def test_a_bad_class_gets_one_clear_sentence(
    opened: Callable[..., AppTest], options: dict[str, str], says: str
) -> None:
    page = opened("why", **{"why__target": "class", **options})
    assert len(page.warning) == 1
    assert says in page.warning[0].value


def test_a_long_method_can_be_cancelled_and_frees_its_worker(
    small: InferenceService, opened: Callable[..., AppTest]
) -> None:
    page = opened(
        "why", why__method="integrated_gradients", why__baseline="noise", why__integrated_gradients__steps=500
    )
    page.button(key="cancel-why-map").click()
    good(page.run())
    assert "Cancelled" in words(page)
    deadline = time.monotonic() + 60
    while small.load != (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    asked = dataclasses.replace(question("integrated_gradients", best(small), steps=500), baseline="noise")
    assert recalled(small, asked.key) is None
    good(page.run())
    assert page.button(key="start-why-map").label == "Start again"
    assert small.load == (0, 0)


def test_what_is_known_is_not_calculated_again(opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    done(done(opened("why", why__method="saliency"), "why-map"), "why-map-quick")

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("calculated again")

    for module, name in ((attribution, "explain"), (attribution, "evidence"), (conductance, "exact_split")):
        monkeypatch.setattr(module, name, refuse)
    page = opened("why", why__method="saliency")
    assert not any(button.label == "Cancel" for button in page.button)
    assert "all values of the map added up" in words(page)


def test_the_badge_opens_into_evidence(small: InferenceService, opened: Callable[..., AppTest]) -> None:
    page = done(opened("why", why__method="gradcam", why__trust=True), "why-map")
    asked = question("gradcam", best(small))
    assert recalled(small, attribution.check_key(asked, "randomisation")) is None
    page.button(key="start-why-map-randomisation").click()
    done(done(good(page.run()), "why-map-randomisation"), "why-map-quick")
    text = re.sub(r"\s+", " ", words(page))
    for name in ("completeness", "insertion", "deletion", "randomisation"):
        found = recalled(small, attribution.check_key(asked, name))
        assert f"{name}: {trust_badge.verdict(found)}" in text
        assert found.sentence in html.unescape(text)
    assert "sensitivity: not run" in text
    assert set(trust_badge.PAPERS) == set(CHECKS)


def test_the_badge_of_an_empty_map_says_so(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "service", lambda: small)
    black = Photo(Image.new("RGB", (64, 64)), "black-photo", "black")
    asked = question("integrated_gradients", best(small), steps=2)
    x = small.classifier.prepare(black.image)
    found = explain(small.classifier, x, asked.method, target=asked.target, options=dict(asked.options))
    assert found.empty
    assert found.completeness_error == 0
    badge = attribution.known_badge(Panel(black), asked, found, tuple(CHECKS))
    assert trust_badge.state_words(badge) == "no verdict: the map is empty"


def test_ledger_and_sweep_come_on_request(small: InferenceService, opened: Callable[..., AppTest]) -> None:
    page = done(opened("why", why__head="aux2", why__ledger__steps=10), "why-map")
    assert "The score of" not in words(page)  # only main ends in an average and a linear layer
    page.button(key="start-why-ledger").click()
    done(good(page.run()), "why-ledger")
    page.button(key="start-why-sweep").click()
    done(good(page.run()), "why-sweep")
    x = small.classifier.preprocessing(PHOTO.image)
    target = Target.parse("auto", small.classifier.checkpoint.labels, small.look(PHOTO).trace.logits("aux2"))
    black = baseline("black", x, small.classifier.preprocessing)
    ledger = credit_ledger(small.classifier, x, black, target, "aux2", steps=10)
    text = words(page)
    assert f"Every row adds up to {signed(ledger.total)} logits" in text
    assert all(signed(value) in text for value in ledger.table.flatten().tolist())
    assert "aux2 needs" in text
    charts = {
        element.proto.alt.partition(",")[0]: json.loads(element.proto.spec)["data"]
        for element in page.get("plotly_chart")
    }
    rows = charts["Credit of every branch in logits: 3a 1x1 " + signed(float(ledger.table[0, 0]))]
    for trace, column in zip(rows, ledger.table.T.tolist(), strict=True):
        assert trace["x"] == pytest.approx(column, rel=1e-6)
    assert set(charts) >= {"aux2", "main"}, "the sweep has a chart for each trained head"


@pytest.mark.parametrize("fill", FILLS)
def test_branches_are_switched_off_on_the_module_page(
    small: InferenceService, opened: Callable[..., AppTest], fill: Fill
) -> None:
    page = opened("module", ablation__fill=fill)
    module = "4d"
    page.button_group(key="ablation-off").set_value([f"{module}:1x1", f"{module}:pool"])
    good(page.run())
    trace, classifier = small.look(PHOTO).trace, small.classifier
    means = fill_means(classifier, classifier.preprocessing(PHOTO.image), fill)
    ablation = Ablation.parse([f"{module}:1x1", f"{module}:pool"], classifier.network.spec, fill)
    result = ablate(classifier, trace, ablation, means)
    text = re.sub(r"\s+", " ", words(page))
    assert "Without 1×1, pool of 4d: 3 modules ran again" in text
    assert "aux1 does not see this: 0" in text
    for change in result.top("main"):
        assert signed(change.delta) in text
    page.button_group(key="ablation-off").set_value([])
    assert "pick one and see" in words(good(page.run()))


def test_the_map_lies_on_what_the_network_saw(
    small: InferenceService, opened: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened("why")
    x = small.classifier.prepare(PHOTO.image)
    known = explain(small.classifier, x, "saliency")
    red = dataclasses.replace(known, heatmap=torch.ones(224, 224))
    found = attribution_map.layers(Panel(PHOTO), red, 1.0, 640)
    view = small.classifier.preprocessing.view(PHOTO.size)
    width, height = found.size
    assert found.size == PHOTO.size
    wanted = (view.left / width, view.top / height, view.width / width, view.height / height)
    assert_close(found.place, wanted, 1e-9)
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(found.map.partition(",")[2]))))
    assert (drawn == (*FOR, 255)).all()
    assert found.lines == ""  # nothing is stronger than the rest
    positive = dataclasses.replace(known, heatmap=torch.arange(1.0, 50.0).reshape(7, 7), layer="5b")
    assert attribution_map.layers(Panel(PHOTO), positive, 49.0, 640).lines.startswith("M")
    assert "the weakest position 2% as much as the strongest" in attribution_map.facts(positive)["one sign"]
    negative = dataclasses.replace(known, heatmap=-torch.ones(7, 7), layer="5b")
    assert "Every position of this map is negative" in attribution_map.facts(negative)["all negative"]
    spiky = dataclasses.replace(known, heatmap=torch.ones(224, 224).index_fill(0, torch.tensor([0]), 50.0))
    assert attribution_map.scale_of(spiky, "99%") == 1.0
    assert attribution_map.scale_of(spiky, "largest") == 50.0
