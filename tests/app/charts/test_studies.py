"""Studies on the pages: nothing without a file, and with one its numbers in words, charts and a table."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.charts import studies as charts
from app.figures import study as figure
from app.state import studies as state
from inception_model.cost.report import Cost
from inception_model.studies.results import Run, StudyResults
from tests.app.chart_data import ask_for_charts, drawn, named
from tests.compare import assert_close

SETTINGS = {
    "images": 1000,
    "classes": 20,
    "measured": 200,
    "width": 0.5,
    "stages": [{"size": 64, "epochs": 2.0, "tune": False}],
}


def results(study: str, series: tuple[str, str] = ("", ""), gap: float = 0.1) -> StudyResults:
    """Two networks with three seeds each; the second is `gap` better, in each seed by a little more or less."""
    gradients = {"3a": ((0, 1.0), (10, 4.0)), "4a": ((0, 2.0), (10, 2.0))}
    twice = {module: tuple((step, 2 * norm) for step, norm in points) for module, points in gradients.items()}
    watched = study == "auxiliary"
    runs = []
    for seed in range(3):
        top1 = 0.2 + 0.01 * seed
        runs.append(Run("plain", seed, top1, 0.5, 30, 9.0, ((30, top1),), gradients if watched else {}))
        other = top1 + gap + 0.001 * (seed - 1)
        runs.append(Run("weight 0.3", seed, other, 0.6, 30, 9.0, ((30, other),), twice if watched else {}))
    costs = {"plain": Cost(1, 2_000, 2_000, 10**6), "weight 0.3": Cost(1, 4_000, 4_000, 10**7)}
    names = dict(zip(costs, series, strict=True))
    return StudyResults(study, "plain", SETTINGS, costs, names, runs=runs)


def test_the_charts_show_means_intervals_and_single_runs() -> None:
    found = results("pooling")
    (dots,), (single,) = (named(charts.accuracy_figure(found), name) for name in ("", "single runs"))
    rows = found.summaries()
    assert dots["x"] == ["plain", "weight 0.3"]
    assert_close(dots["y"], [row.top1.value for row in rows], 1e-9)
    assert_close(dots["error_y"]["array"], [row.top1.interval[1] - row.top1.value for row in rows], 1e-9)  # type: ignore[index]
    assert_close(dots["error_y"]["arrayminus"], dots["error_y"]["array"], 1e-9)
    assert_close(single["y"], [run.top1 for row in rows for run in found.of(row.variant)], 1e-9)
    lines = charts.accuracy_figure(results("naive", ("reduced", "naive")))
    assert drawn(lines)["layout"]["xaxis"]["type"] == "log"
    assert [named(lines, name)[0]["x"] for name in ("reduced", "naive")] == [[10**6], [10**7]]


def test_gradients_are_drawn_for_each_module_and_network() -> None:
    found = results("auxiliary")
    lines = {(line["yaxis"], line["name"]): line["y"] for line in drawn(charts.gradient_figure(found))["data"]}
    assert_close(lines["y", "weight 0.3"], [2.0, 8.0], 1e-9)
    assert_close(lines["y2", "plain"], [2.0, 2.0], 1e-9)
    assert "3a: plain 2, weight 0.3 4; 4a: plain 2, weight 0.3 4" in charts.gradient_words(found)
    assert found.summaries()[1].gradients["3a"].value == pytest.approx(2, rel=1e-9)


def test_words_say_whether_it_can_be_told_from_chance() -> None:
    _, sure = results("pooling").summaries()
    assert figure.verdict(sure, "plain") == (
        "Weight 0.3 against plain: +10.0 (+9.8 to +10.2) points of top-1; the interval does not contain 0."
    )
    _, unsure = results("pooling", gap=0.001).summaries()
    assert "contains 0: these runs can't tell them apart" in figure.verdict(unsure, "plain")
    one = results("pooling")
    one.runs = one.runs[:2]
    assert "one seed" in figure.verdict(one.summaries()[1], "plain")


def page() -> None:
    from app.views.heads import auxiliary

    auxiliary.show()


def test_the_section_comes_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "auxiliary.json"
    monkeypatch.setattr(state, "results_path", lambda _: file)
    app = AppTest.from_function(page).run()
    assert not app.get("html")
    assert not app.get("bidi_component")
    found = results("auxiliary")
    found.file = file
    found.save()
    ask_for_charts(app).run()
    assert not app.exception
    words = " ".join(element.proto.body for element in app.get("html"))
    assert "Does the paper&#39;s reason hold here?" in words
    assert "2.00 (2.00 to 2.00) times as large at 3a" in words
    assert "4.0 K" in words
    assert len(app.get("plotly_chart")) == 2
    told = json.loads(file.read_text())
    told["runs"][0]["top1"] = math.pi
    file.write_text(json.dumps(told))
    app.run()
    assert "Nothing is shown" in app.caption[0].value
