"""The page Heads, and the network map's quantities and clicks, driven without a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from streamlit.testing.v1 import AppTest

from app.figures import network_map
from app.figures.head_cards import HeadView
from app.figures.thumbnails import thumbnails
from app.jobs import map_quantities
from app.jobs.map_quantities import QUANTITIES, Values
from app.views.heads import timeline as timeline_view
from inception_model.analysis.ablation import Ablation, ablate, sweep
from inception_model.analysis.conductance import credit_ledger
from inception_model.analysis.timeline import Timeline, timeline
from inception_model.architecture.spec import BRANCHES
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.store import save
from inception_model.cost.report import compute_report
from inception_model.drawing.colormaps import TABLES
from inception_model.drawing.numbers import percent
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.inference.trace import Trace, capture
from tests.app.asking import choose_file, good
from tests.app.chart_data import ask_for_charts
from tests.app.shell import MAIN, drawn
from tests.compare import assert_close
from tests.random_networks import noise_images, random_classifier


@pytest.fixture(scope="module")
def trace(tiny_classifier: Classifier) -> Trace:
    return capture(tiny_classifier, noise_images(1))


@pytest.fixture(scope="module")
def line(tiny_classifier: Classifier, trace: Trace) -> Timeline:
    return timeline(tiny_classifier, trace, 4)


def drawings(app: AppTest) -> str:
    """The components' own HTML."""
    return " ".join(str(element.proto) for element in app.get("bidi_component"))


def heads_page(checkpoint: Path | None = None) -> AppTest:
    app = good(AppTest.from_file(MAIN, default_timeout=90).run())
    if checkpoint is not None:
        assert not choose_file(app, checkpoint).error
    return good(ask_for_charts(app).switch_page("views/heads/page.py").run())


def test_the_page_follows_main_and_any_other_class(bundled_classifier: Classifier, cat) -> None:  # type: ignore[no-untyped-def]
    app = heads_page()
    trace = capture(bundled_classifier, bundled_classifier.prepare(cat.image))
    line = timeline(bundled_classifier, trace)
    assert timeline_view.in_words(line) in drawn(app)
    good(app.selectbox(key="heads-class").set_value(0).run())
    followed = timeline(bundled_classifier, trace, 0)
    assert timeline_view.in_words(followed) in drawn(app)
    for step in followed.steps:
        assert f"rank {step.rank}: " in drawn(app)
    wanted = [
        [of(step) for step in followed.steps]
        for of in (lambda s: s.probability, lambda s: s.rank, lambda s: s.entropy, lambda s: s.margin)
    ]
    for found, values in zip(heads_drawn(app), wanted, strict=True):
        assert found == pytest.approx(values, rel=1e-4)
    labels = [element.proto.alt for element in app.get("plotly_chart")]
    assert f"main after 5b {percent(followed.steps[-1].probability)}" in labels[0]
    assert "aux1 and aux2: " in labels[2], "the table of the probes has a chart of its own between"


def charts(app: AppTest) -> list[dict[str, Any]]:
    """What plotly is asked to draw, chart by chart."""
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def heads_drawn(app: AppTest) -> list[list[float]]:
    """The heads' values of each of the time line's four plots."""
    return [trace["y"] for trace in charts(app)[0]["data"] if trace["name"] == "heads"]


def test_words_of_agreement_and_change(line: Timeline) -> None:
    a, b = line.steps[0].answer, replace(line.steps[0].answer, index=5, label="<b>other</b>, x")
    answers = ((a, 3), (b, 1), (b, 1))
    steps = zip(line.steps, answers, strict=True)
    told = replace(
        line,
        index=5,
        label="other",
        steps=tuple(replace(step, top=(answer,), rank=rank) for step, (answer, rank) in steps),
    )
    words = timeline_view.in_words(told)
    assert "aux2 changes to <b>&lt;b&gt;other&lt;/b&gt;</b>" in words
    assert "main keeps it" in words
    assert "<b>other</b> is first from 4d on" in words
    same = replace(told, steps=tuple(replace(step, top=(b,), rank=1) for step in line.steps))
    assert timeline_view.in_words(same).startswith("All three heads say ")
    alone = replace(told, steps=told.steps[-1:], untrained=(("aux1", "4a"),))
    assert "no other head was trained" in timeline_view.in_words(alone)
    assert "aux1 (after 4a) was never trained" in timeline_view.in_words(alone)


def test_untrained_heads_are_named_and_never_drawn(tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False)
    torch.save(network.state_dict(), tmp_path / "googlenet.pth")
    app = heads_page(tmp_path / "googlenet.pth")
    assert drawn(app).count("Never trained in this checkpoint") == 2
    assert "aux1 (after 4a) was never trained" in drawn(app)
    assert "Jensen" not in drawn(app)
    assert [len(values) for values in heads_drawn(app)] == [1] * 4, "one head, four plots"


def test_a_network_without_auxiliary_heads_has_a_page(tmp_path: Path) -> None:
    alone = random_classifier(replace(tiny(), aux=()))
    save(alone.checkpoint, tmp_path / "alone.safetensors")
    app = heads_page(tmp_path / "alone.safetensors")
    assert "no other head was trained" in drawn(app)
    assert "never trained in this checkpoint" not in drawn(app)
    assert "it answers once" in drawn(app)
    assert "three times" not in drawn(app)
    assert [len(values) for values in heads_drawn(app)] == [1] * 4


def test_values_are_the_librarys(tiny_classifier: Classifier, trace: Trace) -> None:
    spec = tiny_classifier.network.spec
    report = compute_report(spec, 224)
    zeros = map_quantities.sparsities(trace)["4d"]["5x5"]
    output = trace.block("4d").branches["5x5"].output
    assert zeros == pytest.approx(1 - float((output != 0).float().mean()))
    for what in ("macs", "params"):
        values = map_quantities.costs(spec, 224, what)
        assert sum(values["3a"].values()) == getattr(report.row("3a").cost, what)
    assert [map_quantities.fields(spec)["3a"][kind] for kind in BRANCHES] == [27, 43, 59, 43]


def test_credit_and_effect_leave_out_what_a_head_does_not_see(tiny_classifier: Classifier, trace: Trace) -> None:
    x, target = noise_images(1), Target(3)
    ledger = credit_ledger(tiny_classifier, x, torch.zeros_like(x), target, "aux1", steps=2)
    credit = map_quantities.credits_of(ledger)
    assert list(credit) == ["3a", "3b", "4a"]
    assert sum(credit["4a"].values()) == pytest.approx(ledger.total - float(ledger.residuals[2]))
    effects = map_quantities.effects_of(sweep(tiny_classifier, trace), "main", target)
    off = ablate(tiny_classifier, trace, Ablation.parse(["4b:1x1"], tiny_classifier.network.spec))
    assert_close(effects["4b"]["1x1"], float(off.delta("main")[0, 3]), scale=float(off.before.main.norm()))


def drawn_map(classifier: Classifier, trace: Trace, name: str, values: Values) -> str:
    sides = {module: block.output.shape[-1] for module, block in trace.blocks.items()}
    heads = [HeadView("aux1", "4a", False, (), 0.0)]
    return network_map.map_svg(classifier.network.spec, QUANTITIES[name], values, sides, heads, thumbnails(trace))


def test_the_map_has_every_lane_channel_and_head(tiny_classifier: Classifier, trace: Trace) -> None:
    values = map_quantities.mean_activations(trace)
    text = drawn_map(tiny_classifier, trace, "activation", values)
    goals = re.findall(r'data-go="([^"]+)"', text)
    assert len(goals) == 36 + 18 + 9 + 1
    assert "3a/5x5_reduce" in goals
    assert text.count('tabindex="0"') == len(goals)
    assert text.count("<image href") == 9
    assert "untrained" in text
    low, high = network_map.value_range(values, False)
    shades = sorted(float(shade) for shade in re.findall(r'fill-opacity="([\d.]+)"', text))
    assert (shades[0], shades[-1]) == (0.2, 1.0)
    assert low < high


def test_signed_maps_are_blue_and_red_about_zero(tiny_classifier: Classifier, trace: Trace) -> None:
    values = {"3a": dict(zip(BRANCHES, (-2.0, 0.0, 2.0, 1.0), strict=True))}
    text = drawn_map(tiny_classifier, trace, "credit", values)
    colours = re.findall(r'fill="rgb\((\d+),(\d+),(\d+)\)"', text)
    assert colours[:3] == [("5", "48", "97"), ("255", "255", "255"), ("103", "0", "31")]
    assert text.count("lies behind this head") == 2 * 32
    assert "3a 1×1: 4 channels, −2.00 logits of credit" in text


def test_red_speaks_for_the_answer_whatever_the_number_says(tiny_classifier: Classifier, trace: Trace) -> None:
    values = {name: dict.fromkeys(BRANCHES, -1.0) for name in tiny_classifier.checkpoint.spec.module_names}
    sides, colours = dict.fromkeys(values, 7), {}
    for name in ("credit", "effect"):
        svg = network_map.map_svg(
            tiny_classifier.checkpoint.spec, QUANTITIES[name], values, sides, [], thumbnails(trace), None, (-1.0, 1.0)
        )
        colours[name] = set(re.findall(r'fill="(rgb[^"]*)"', svg))
    red, blue = (f"rgb({r},{g},{b})" for r, g, b in (TABLES["signed"][-1], TABLES["signed"][0]))
    assert colours["credit"] == {blue}  # negative credit speaks against
    assert colours["effect"] == {red}  # the score falls without it: it speaks for


def test_thumbnails_show_the_strongest_channel(tiny_classifier: Classifier, trace: Trace) -> None:
    for name, thumb in thumbnails(trace).items():
        values = trace.block(name).branches[thumb.branch].output[0, thumb.channel]
        assert float(values.mean()) == pytest.approx(float(trace.block(name).output[0].mean((1, 2)).max()))
        assert thumb.peak == float(values.max())


def test_colours_on_the_page_and_credit_on_demand() -> None:
    app = good(AppTest.from_file(MAIN, default_timeout=90).run())
    for name in ("sparsity", "macs", "field", "effect"):
        good(app.segmented_control(key="look-colour").set_value(name).run())
        for _ in range(60):
            if QUANTITIES[name].one in drawn(app):
                break
            good(app.run())
        assert QUANTITIES[name].one in drawn(app), name
        assert f"coloured by {QUANTITIES[name].label}" in drawings(app)


def test_clicks_on_the_map_go_where_they_say() -> None:
    def script(where: str) -> None:
        import streamlit as st

        from app.figures import network_map
        from app.state import navigation, options, selection, session

        network_map.go(where)
        place = (selection.module(), selection.branch(), selection.channel())
        st.text(repr((navigation.take_destination(), *place, session.option(options.WHY_HEAD))))

    for where, wanted in (
        ("4b/3x3", ("module", "4b", "3x3", 0, None)),
        ("5a/pool/9", ("module", "5a", "pool", 9, None)),
        ("4b/3x3_reduce", ("module", "4b", "3x3", 0, None)),
        ("4b/1x1_reduce", (None, "4d", "5x5", 0, None)),
        ("head/aux2", ("heads", "4d", "5x5", 0, "aux2")),
        ("head/oracle", ("heads", "4d", "5x5", 0, None)),
        ("9z/1x1", (None, "4d", "5x5", 0, None)),
        ("4b/7x7", (None, "4d", "5x5", 0, None)),
        ("", (None, "4d", "5x5", 0, None)),
    ):
        app = good(AppTest.from_function(script, default_timeout=90, args=(where,)).run())
        assert app.text[0].value == repr(wanted), where
