"""The charts hold exactly the numbers that they are given, in the palette's colours, and can be told in words."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from app import theme
from app.charts import (
    costs,
    credits,
    curves,
    histogram,
    profiles,
    training,
    tuning,
)
from app.charts.template import NAME, figure
from app.widgets import chart
from inception_model.analysis.conductance import CreditLedger
from inception_model.analysis.selectivity import TuningCurve
from inception_model.architecture.spec import BRANCHES, BranchKind
from inception_model.drawing.palette import BRANCH_COLOURS, COLOURS
from inception_model.inference.targets import Target
from inception_model.training.calibration import Calibration, HeadCalibration, Reliability, ReliabilityBin
from inception_model.training.curve import TrainingCurve
from inception_model.trust import Curve, Deletion
from tests.app.chart_data import drawn, named


def test_for_a_class_a_chart_grows_and_its_numbers_stay() -> None:
    settings = {"font": {"size": 10}, "margin": {"l": 20}, "annotations": [{"text": "a", "yshift": -4}]}
    trace = {"type": "scatter", "x": [1, 2], "y": [3, 40], "marker": {"size": 8}, "customdata": [[5], [6]]}
    small = figure([trace], height=200, **settings)
    large, times = chart.enlarged(small), chart.LARGE
    (points,), layout = large.data, large.layout
    assert (list(points.x), list(points.y), [list(row) for row in points.customdata]) == ([1, 2], [3, 40], [[5], [6]])
    assert layout.height == 200  # of its place, which the style sheet grows
    sizes = (points.marker.size, layout.font.size, layout.margin.l, layout.annotations[0].yshift)
    assert sizes == tuple(round(times * pixels) for pixels in (8, 10, 20, -4))
    assert layout.template.layout.xaxis.tickfont.size == round(times * small.layout.template.layout.xaxis.tickfont.size)


def bar(name: str, naive: float) -> costs.Bar:
    pieces = [
        costs.Piece(None, False, "conv1", 3),
        costs.Piece("1x1", False, "4d 1x1", 5),
        costs.Piece("3x3", True, "4d 3x3 reduce", 2),
        costs.Piece("3x3", False, "4d 3x3", 7),
        costs.Piece(None, False, "linear", 1),
    ]
    return costs.Bar(name, pieces, naive, f"18 of {naive:g}")


def test_cost_bars_hold_the_layers_and_what_is_saved() -> None:
    panels = [costs.Panel([bar("4d", 40), bar("4e", 10)]), costs.Panel([bar("all", 30)], "Whole", (20, "budget"))]
    figure = costs.bars_figure(panels, "MACs")
    data = drawn(figure)["data"]
    first = {trace["name"]: trace for trace in data if trace["xaxis"] == "x"}
    assert list(first) == ["stem", "1×1", "3×3 reduce", "3×3", "classifier", "saved", "naive"]
    assert first["3×3"]["x"] == [7, 7]
    assert first["3×3"]["y"] == [0, 1]
    assert first["3×3"]["marker"]["color"] == first["3×3 reduce"]["marker"]["color"] == BRANCH_COLOURS["3x3"]
    assert first["3×3 reduce"]["marker"]["opacity"] < first["3×3"]["marker"]["opacity"]
    assert first["stem"]["marker"]["color"] == COLOURS["mut"][0]
    assert first["saved"]["x"] == [22]
    assert first["saved"]["marker"]["pattern"]["shape"] == "/"
    assert first["naive"]["x"] == [10], "reductions wider than what they replace are marked"
    assert first["naive"]["y"] == [1]
    layout = drawn(figure)["layout"]
    assert layout["xaxis"]["range"] == [0, pytest.approx(40, rel=0.01)]
    assert layout["xaxis2"]["range"] == [0, pytest.approx(30, rel=0.01)]
    assert [(shape["x0"], shape["xref"]) for shape in layout["shapes"]] == [(20, "x2")]
    said = [note["text"] for note in layout["annotations"]]
    assert {"18 of 40", "18 of 10", "18 of 30", "Whole", "budget"} == set(said)
    assert costs.bars_words(panels, "MACs") == "4d 18 of 40; 4e 18 of 10. Whole: all 18 of 30; budget (MACs)"


def test_a_tuning_curve_is_to_scale_and_carries_its_numbers() -> None:
    curve = TuningCurve("grating", "frequency", "cycles per image", (0.5, 5.2915026, 56.0), (0.0, 2.0, 1.0), 0.5)
    figure = tuning.tuning_figure(curve, 56.0, 1.0, "b5x5")
    (measured,), (grey,), (picked,) = (named(figure, name) for name in ("measured", "grey", "picked"))
    assert (measured["x"], measured["y"]) == (list(curve.values), list(curve.responses))
    assert measured["marker"]["color"] == BRANCH_COLOURS["5x5"]
    assert grey["y"] == [0.5, 0.5]
    assert (picked["x"], picked["y"], picked["text"]) == ([56.0], [1.0], ["<b>56: 1</b>"])
    layout = drawn(figure)["layout"]
    assert layout["xaxis"]["type"] == "log", "frequencies are steps of octaves"
    assert layout["yaxis"]["ticktext"] == ["0", "2"]
    assert "strongest at 5.29 cycles per image; at the picked 56 it is 1, to an even grey 0.5" in (
        tuning.tuning_words(curve, 56.0, 1.0)
    )
    silent = TuningCurve("grating", "orientation", "degrees", (0.0, 90.0), (0.0, 0.0), 0.0)
    assert tuning.tuning_words(silent, 2, 0).startswith("Silent at all 2 values")
    dull = TuningCurve("grating", "orientation", "degrees", (0.0, 90.0), (0.2, 0.4), 0.5)
    said = tuning.tuning_words(dull, 2, 0.3)
    assert "not selective" in said
    assert "strongest" not in said
    assert "null" not in json.dumps(drawn(tuning.tuning_figure(silent, 2, 0))["data"])


def test_a_histogram_counts_what_is_above_zero() -> None:
    values = np.array([[0.0, 0.0, 1.0], [1.0, 3.9, 4.0]])
    (bars,) = drawn(histogram.histogram_figure(values, bins=4))["data"]
    assert bars["y"] == [0, 2, 0, 2]
    assert bars["x"] == [0.5, 1.5, 2.5, 3.5]
    title = drawn(histogram.histogram_figure(values))["layout"]["xaxis"]["title"]["text"]
    assert title == "2 of 6 positions are zero and not drawn"
    assert histogram.histogram_words(values) == "Histogram: 4 of 6 positions above zero, up to 4"
    silent = drawn(histogram.histogram_figure(np.zeros((2, 2))))
    assert sum(silent["data"][0]["y"]) == 0


def test_profiles_are_a_bar_per_channel_on_one_scale() -> None:
    values = {"1x1": np.array([0.5, 0.0]), "3x3": np.array([0.0, 0.0, 1.0, 4.0], np.float32), "pool": np.zeros(3)}
    found: dict[BranchKind, np.ndarray] = {kind: values[kind] for kind in BRANCHES if kind in values}
    figure = profiles.profiles_figure(found, 8.0)
    layout = drawn(figure)["layout"]
    assert [trace["name"] for trace in drawn(figure)["data"]] == ["1×1", "3×3", "pool"]
    for trace, (kind, given) in zip(drawn(figure)["data"], found.items(), strict=True):
        assert trace["y"] == given.tolist()
        assert trace["x"] == list(range(len(given)))
        assert trace["marker"]["color"] == BRANCH_COLOURS[kind]
        assert layout[trace["yaxis"].replace("y", "yaxis")]["range"] == [0, 8.0], "all branches on one scale"
    domains = [layout[name]["domain"] for name in ("yaxis", "yaxis2", "yaxis3")]
    assert all(above[0] > below[1] for above, below in pairwise(domains)), "one below the other"
    (three,) = named(figure, "3×3")
    assert three["customdata"] == ["0", "0", "1", "4"]
    assert three["hovertemplate"].startswith("3×3, channel %{x}: <b>%{customdata}</b>")
    titles = [note["text"] for note in layout["annotations"]]
    assert titles[1] == "<b>3×3</b> 2 of 4 active · strongest 3 (4), 2 (1)"
    assert titles[2].endswith("silent here")
    assert "3×3: 2 of 4 channels active here, strongest 3 (4), 2 (1); pool: 0 of 3" in profiles.profiles_words(found)
    silent = drawn(profiles.profiles_figure({"pool": np.zeros(3)}, 0.0))
    assert silent["layout"]["yaxis"]["range"] == [0, 1.0]


def test_the_ledger_s_rows_and_the_sweep_s_changes() -> None:
    table = torch.tensor([[1.0, -0.5, 2.0, 0.5], [0.25, 0.75, 1.0, 1.0]], dtype=torch.float64)
    ledger = CreditLedger("main", Target(0), 3.5, 0.5, ("3a", "3b"), table, {}, 50, 1.0, (50, 50), 51)
    figure = credits.ledger_figure(ledger)
    for place, trace in enumerate(drawn(figure)["data"]):
        assert trace["x"] == table[:, place].tolist()
        assert trace["marker"]["color"] == BRANCH_COLOURS[BRANCHES[place]]
    assert drawn(figure)["layout"]["shapes"][1]["x0"] == 3.0, "what every row should add up to"
    assert "3a 1x1 +1.00, 3x3 −0.50, 5x5 +2.00, pool +0.50" in credits.ledger_words(ledger)
    swept = credits.sweep_figure(("3a", "3b"), table.tolist(), ("3a",), (-1.0, 2.0))
    assert [trace["x"] for trace in drawn(swept)["data"]] == [[1.0], [-0.5], [2.0], [0.5]]
    assert [note["text"] for note in drawn(swept)["layout"]["annotations"]] == ["lies behind this head"]
    assert "3b lies behind this head" in credits.sweep_words("aux1", ("3a", "3b"), table.tolist(), ("3a",))


def test_a_reliability_diagram_shows_a_head_without_and_with_its_temperature() -> None:
    before = Reliability((ReliabilityBin(1, 0.2, 0.0), ReliabilityBin(3, 0.9, 0.5)), 1.5)
    after = Reliability((ReliabilityBin(4, 0.4, 0.375),), 1.25)
    found = HeadCalibration(1.75, before, after)
    raw, calibrated = drawn(training.reliability_figure("aux1", found))["data"]
    assert (raw["x"], raw["y"], raw["customdata"]) == ([0.2, 0.9], [0.0, 0.5], [[1], [3]])
    assert (calibrated["x"], calibrated["y"]) == ([0.4], [0.375])
    assert (raw["line"]["color"], calibrated["line"]["color"]) == (COLOURS["mut"][0], COLOURS["aux1"][0])
    assert raw["line"]["dash"] != calibrated["line"]["dash"], "not told by colour alone"
    words = training.reliability_words("aux1", found)
    assert "off by 35.0% on average" in words, "(1 x 0.2 + 3 x 0.4) / 4"
    assert "by 2.5% at temperature 1.750" in words
    sure = training.calibration_words(Calibration("data", 20, 4, {"aux1": found}))
    assert "aux1 is too sure and misses its accuracy by 35.0% on average, at temperature 1.75 by 2.5%" in sure
    assert "fitted on 20 held-out training images, the misses measured on 4 validation images of data" in sure
    shy = HeadCalibration(0.5, before, after)
    assert "aux1 is not sure enough" in training.calibration_words(Calibration("data", 20, 4, {"aux1": shy}))


def test_a_training_curve_is_a_line_per_head() -> None:
    lines = (TrainingCurve("aux1", ((10, 0.1), (20, 0.3))), TrainingCurve("main", ((10, 0.2), (20, 0.4))))
    data = drawn(training.training_figure(lines))["data"]
    assert [(t["name"], t["x"], t["y"], t["line"]["color"]) for t in data] == [
        ("aux1", [10, 20], [0.1, 0.3], COLOURS["aux1"][0]),
        ("main", [10, 20], [0.2, 0.4], COLOURS["main"][0]),
    ]
    assert "main from 20.0% to 40.0% after 20 steps" in training.training_words(lines)


def trust_curve(scores: tuple[float, ...] = (0.75, 0.5, 0.0)) -> Curve:
    random = ((0.75, 0.7, 0.1), (0.75, 0.6, 0.2))
    return Deletion("deletion", "probability <b>", "mean", (0.0, 0.5, 1.0), scores, random)


def test_a_map_s_curve_lies_over_its_random_rankings() -> None:
    curve = trust_curve()
    figure = curves.curve_figure(curve)
    (line,) = named(figure, "map")
    rivals = named(figure, "random")
    assert (line["x"], line["y"]) == (list(curve.shares), list(curve.scores))
    assert [(rival["x"], rival["y"]) for rival in rivals] == [(list(curve.shares), list(r)) for r in curve.random]
    assert drawn(figure)["data"][-1]["name"] == "map", "drawn last, so on top"
    assert line["line"]["width"] > max(rival["line"]["width"] for rival in rivals)
    assert (line["line"]["color"], rivals[0]["line"]["color"]) == (COLOURS["ink"][0], COLOURS["mut"][0])
    assert "probability &lt;b&gt;" in line["hovertemplate"]
    layout = drawn(figure)["layout"]
    assert (layout["yaxis"]["tickvals"], layout["yaxis"]["ticktext"]) == ([0, 0.75], ["0", "0.75"])
    assert layout["xaxis"]["title"]["text"] == "pixels deleted"
    words = curves.curve_words(curve)
    assert words == "deletion: area 0.438 for the map, 0.550 with a spread of 0.018 for random places"
    assert curves.legend_words(curve).endswith("Height: probability <b>, from 0 to 0.75.")


def test_curves_of_a_contrast_reach_below_zero() -> None:
    layout = drawn(curves.curve_figure(trust_curve((-1.5, -1.0, -2.0))))["layout"]
    assert layout["yaxis"]["tickvals"] == [-2.0, 0.75]
    assert layout["yaxis"]["range"][0] < -2.0


def test_there_is_one_template() -> None:
    figure = histogram.histogram_figure(np.ones((2, 2)))
    import plotly.io as pio

    assert figure.layout.template == pio.templates[NAME]


def test_on_a_page_every_grey_of_a_chart_is_the_page_s() -> None:
    rules = theme.chart_rules()
    for name, written in (("ink", "rgb(27, 31, 36)"), ("mut", "rgb(93, 102, 112)"), ("bg", "rgb(255, 255, 255)")):
        for what in ("fill", "stroke"):
            assert f'[style*="{what}: {written}"]' in rules
            assert f"{{ {what}: var(--{name}) !important; }}" in rules
    assert COLOURS["aux1"][0] == COLOURS["aux1"][1], "what is no grey is the same in light and dark"
