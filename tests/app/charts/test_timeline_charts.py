"""The charts of the heads: time line, divergences and probes hold the readings that they are given."""

from __future__ import annotations

import math
from typing import Any

import pytest

from app.charts import (
    probes,
    timeline,
)
from app.charts.template import plain
from inception_model.analysis.timeline import Divergence, ProbeStep, Step, Timeline
from inception_model.drawing.palette import COLOURS
from inception_model.inference.classifier import Answer
from inception_model.training.evaluation import HeadAccuracy
from tests.app.chart_data import drawn, named

MODULES = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")

HOSTILE = "<img src=x onerror=alert(1)>"


def reading(module: str, probability: float, rank: int) -> dict[str, Any]:
    nats = -math.log(probability)
    answer = Answer(index=0, label="tabby, tabby cat", wnid="n02123045", probability=probability, logit=1.0)
    return {
        "module": module, "depth": MODULES.index(module) + 1, "top": (answer,), "entropy": nats,
        "entropy_share": nats / math.log(200), "margin": probability / 2, "probability": probability, "rank": rank,
    }  # fmt: skip


def line(label: str = "tabby, tabby cat", *, probed: bool = True) -> Timeline:
    steps = tuple(
        Step(**reading(module, probability, rank), head=head)
        for head, module, probability, rank in (
            ("aux1", "4a", 0.05, 12), ("aux2", "4d", 0.5, 2), ("main", "5b", 0.875, 1)
        )
    )  # fmt: skip
    found = tuple(
        ProbeStep(**reading(module, 0.1 * place, 200 // place), accuracy=HeadAccuracy(0.05 * place, 0.1 * place))
        for place, module in enumerate(MODULES, 1)
    )
    pairs = (Divergence("aux1", "aux2", 0.25), Divergence("aux1", "main", 0.5))
    return Timeline(0, label, 200, steps, (), pairs, found if probed else ())


def test_the_time_line_holds_every_reading_of_heads_and_probes() -> None:
    told = line()
    figure = timeline.timeline_figure(told, MODULES)
    wanted = [lambda s: s.probability, lambda s: s.rank, lambda s: s.entropy, lambda s: s.margin]
    for heads, rings, of in zip(named(figure, "heads"), named(figure, "probes"), wanted, strict=True):
        assert heads["x"] == [3, 6, 9]
        assert heads["y"] == [of(step) for step in told.steps]
        assert heads["marker"]["color"] == [COLOURS[head][0] for head in ("aux1", "aux2", "main")]
        assert rings["x"] == list(range(1, 10))
        assert rings["y"] == [of(step) for step in told.probes]
        assert rings["marker"]["color"] == COLOURS["bg"][0], "hollow"
        assert [at[0] for at in rings["customdata"]] == list(MODULES)
    layout = drawn(figure)["layout"]
    assert layout["yaxis2"]["type"] == "log"
    assert layout["yaxis2"]["range"] == [math.log10(200), 0], "rank 1 is on top"
    assert layout["yaxis3"]["range"] == [0, pytest.approx(math.log(200))]
    assert layout["xaxis"]["ticktext"][2:4] == ["<b>4a</b>", "4b"]
    assert [text["text"].partition("<br>")[0] for text in layout["annotations"]] == [
        "<b>Probability</b>", "<b>Rank</b>", "<b>Entropy</b>", "<b>Margin</b>"
    ]  # fmt: skip
    assert named(figure, "heads")[2]["customdata"][0] == ["aux1", "4a", "3.00 · 57%"]
    words = timeline.timeline_words(told)
    assert "Probability of tabby: aux1 after 4a 5%, aux2 after 4d 50%, main after 5b 88%; by probe: 3a 10%" in words
    assert "by probe" not in timeline.timeline_words(line(probed=False))


def test_without_probes_a_dot_says_all_that_is_known() -> None:
    figure = timeline.timeline_figure(line(probed=False), MODULES)
    assert not named(figure, "probes")
    assert named(figure, "heads")[2]["text"][0] == "<b>3.00 · 57%</b>"
    assert named(timeline.timeline_figure(line(), MODULES), "heads")[2]["text"][0] == "<b>3.00</b>"


def test_a_head_s_number_makes_way_for_a_probe_s_ring() -> None:
    assert timeline._side(0.5, 0.6) == "bottom center"
    assert timeline._side(0.5, 0.9) == timeline._side(0.5, None) == timeline._side(0.1, 0.2) == "top center"


def test_divergences_are_bars_up_to_ln_2_in_both_heads_colours() -> None:
    pairs = line().divergences
    figure = timeline.divergence_figure(pairs)
    first, second = drawn(figure)["data"]
    assert [a + b for a, b in zip(first["x"], second["x"], strict=True)] == [0.25, 0.5]
    assert first["marker"]["color"] == [COLOURS["aux1"][0]] * 2
    assert second["marker"]["color"] == [COLOURS["aux2"][0], COLOURS["main"][0]]
    assert drawn(figure)["layout"]["xaxis"]["range"] == [0, math.log(2)]
    assert "aux1 and main: 0.50 nats, 72% of ln 2" in timeline.divergence_words(pairs)


def test_probes_show_their_accuracy_over_the_modules() -> None:
    found = line().probes
    figure = probes.accuracy_figure(found)
    assert [trace["y"] for trace in drawn(figure)["data"]] == [
        [step.accuracy.top1 for step in found],
        [step.accuracy.top5 for step in found],
    ]
    assert drawn(figure)["data"][0]["x"] == list(MODULES)
    assert "5b 45.0% and 90.0%" in probes.accuracy_words(found)


def test_a_label_can_draw_nothing() -> None:
    figure = timeline.timeline_figure(line(HOSTILE), MODULES)
    assert HOSTILE not in figure.to_json().encode().decode("unicode_escape")
    assert plain(HOSTILE) in {part for note in drawn(figure)["layout"]["annotations"]
                              for part in note["text"].split("of ", 1)}  # fmt: skip
