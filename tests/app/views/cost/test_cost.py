"""The cost page: its drawing functions against the report's numbers, and the page itself in AppTest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.charts.costs import bars_figure
from app.views.cost import lab, tables
from inception_model.architecture.spec import UNITS
from inception_model.architecture.variants import get_spec
from inception_model.cost.layers import NAIVE
from inception_model.cost.report import compute_report
from inception_model.cost.timing import ModuleTiming

MAIN = str(Path(__file__).resolve().parents[4] / "app" / "main.py")
REPORT = compute_report(get_spec("paper"))


def open_cost() -> AppTest:
    at = AppTest.from_file(MAIN, default_timeout=120)
    at.run()
    at.switch_page("views/cost/page.py").run()
    assert not at.exception
    return at


def words(at: AppTest) -> str:
    """Everything that the page draws as HTML, tags taken out."""
    return re.sub(r"<[^>]+>", " ", " ".join(element.proto.body for element in at.get("html")))


@pytest.mark.parametrize(
    ("value", "text"),
    [(118_515_712, "119 M"), (13_246_464, "13.2 M"), (1_582_671_872, "1.583 G"), (9_408, "9.4 K"), (163_328, "163 K"),
     (12, "12"), (0, "0"), (-2_500_000, "-2.5 M")],
)  # fmt: skip
def test_amounts(value: int, text: str) -> None:
    assert tables.amount(value) == text


@pytest.mark.parametrize("quantity", ["macs", "params"])
@pytest.mark.parametrize("kind", NAIVE)
def test_bars_are_drawn_to_scale(quantity: tables.Quantity, kind: str) -> None:
    report = compute_report(get_spec("paper"), naive=kind)  # type: ignore[arg-type]
    largest = max(tables.of(row.naive, quantity) for row in report.modules)
    panel = tables.modules_panel(report, quantity)
    assert panel.scale == largest
    for bar, row in zip(panel.bars, report.modules, strict=True):
        assert bar.value == tables.of(row.cost, quantity)
        assert bar.naive == tables.of(row.naive, quantity)
        assert len(bar.pieces) == 6
        assert [piece.reduction for piece in bar.pieces] == [name.endswith("reduce") for name in UNITS]
        assert tables.amount(tables.of(row.cost, quantity)) in bar.words


def test_a_reduction_wider_than_what_it_replaces_is_marked() -> None:
    spec = lab.apply_changes(get_spec("paper"), {"3a": {"3x3_reduce": 192 * 2, "5x5_reduce": 192}})
    row = compute_report(spec).row("3a")
    assert row.cost.macs > row.naive.macs
    figure = bars_figure([tables.modules_panel(compute_report(spec), "macs")], "MACs")
    (mark,) = [trace for trace in figure.data if trace.name == "naive"]
    assert (list(mark.x), list(mark.y)) == ([row.naive.macs], [0])
    assert "naive" not in {trace.name for trace in bars_figure([tables.modules_panel(REPORT, "macs")], "MACs").data}


def test_the_budget_line_lies_at_one_and_a_half_billion() -> None:
    panel = tables.network_panel({"all": REPORT}, "macs")
    assert panel.mark == (1.5e9, "budget 1.5 G")
    assert panel.scale == REPORT.total_naive.macs
    assert panel.bars[0].value == REPORT.total.macs
    assert tables.network_panel({"all": REPORT}, "params").mark is None


def test_table_1_prints_both_columns() -> None:
    text = re.sub(r"<[^>]+>", " ", tables.table_1_html(REPORT))
    assert re.search(r"conv1\* +112×112×64 +9,408 +2\.7K +−71\.3% +118,013,952 +34M +−71\.2%", text)
    assert re.search(r"total +6,990,272 +1,582,671,872", text)
    other = re.sub(r"<[^>]+>", " ", tables.table_1_html(compute_report(get_spec("paper"), 128)))
    assert re.findall(r"(\S+) +\S+ +[\d,]+ +\S+ +\S+%", other) == ["linear"]
    assert "separable 7×7" in tables.disagreements_html()


def test_measured_bars_show_time_and_promise() -> None:
    timing = ModuleTiming("3a", "same-outputs", "cpu", 1, 28, (0.002, 0.002, 0.004), (0.003, 0.004, 0.005))
    (bar,) = tables.timings_panel([timing], REPORT).bars
    assert bar.words == "2.00 of 4.00 ms · 1.5× (2.4×)"
    assert (bar.value, bar.naive) == (pytest.approx(2.0), pytest.approx(4.0))


def test_words_for_changes() -> None:
    assert lab.verdict(100e6, 100e6) == "as published"
    assert lab.verdict(100e6, 90e6) == "10.0 M fewer (−10.0%)"
    assert lab.budget_words(1_582_671_872).startswith("5.5% over")
    assert lab.budget_words(1_350_000_000).startswith("10.0% under")


def test_the_page_counts_the_loaded_network_and_follows_the_controls() -> None:
    at = open_cost()
    assert "1.104 G instead of 3.948 G (3.6×)" in words(at)
    at.selectbox(key="cost_network").select("torchvision").run()
    at.segmented_control(key="naive").set_value("figure-2a").run()
    at.segmented_control(key="quantity").set_value("params").run()
    assert not at.exception
    report = compute_report(get_spec("torchvision"), naive="figure-2a")
    real, naive = report.modules_total()
    assert f"{tables.amount(real.params)} instead of {tables.amount(naive.params)}" in words(at)
    at.segmented_control(key="cost_module").set_value("3a").run()
    assert not at.exception
    assert "Inside 3a" in words(at)


def test_the_lab_counts_live_survives_a_page_change_and_resets() -> None:
    at = open_cost()
    at.selectbox(key="cost_network").select("paper").run()
    assert "1.583 G MACs on one image: as published" in words(at)
    at.slider(key="width/paper/4d/3x3_reduce").set_value(72).run()
    spec = lab.apply_changes(get_spec("paper"), {"4d": {"3x3_reduce": 72}})
    fewer = lab.verdict(REPORT.total.macs, compute_report(spec).total.macs)
    assert "fewer" in fewer
    assert fewer in words(at)
    at.switch_page("views/look/page.py").run()
    at.switch_page("views/cost/page.py").run()
    at.selectbox(key="cost_network").select("paper").run()
    assert fewer in words(at)
    assert at.slider(key="width/paper/4d/3x3_reduce").value == 72
    at.segmented_control(key="lab_part").set_value("stem").run()
    at.slider(key="width/paper/stem/conv2").set_value(100).run()
    assert not at.exception
    next(button for button in at.button if button.label == "Everything as published").click().run()
    assert "on one image: as published" in words(at)
    assert at.slider(key="width/paper/stem/conv2").value == 192


def test_the_clock_runs_on_the_button_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    at = open_cost()
    assert "MACs are not time" in words(at)
    at.button(key="measure").click().run()
    assert not at.exception
    measured = re.search(r"medians of 9: ([\d.]+) ms instead of ([\d.]+) ms", words(at))
    assert measured is not None
    assert float(measured[2]) > float(measured[1]) > 0
    at.segmented_control(key="quantity").set_value("params").run()
    assert measured[0] in words(at)


def test_a_link_opens_the_page_on_its_network_and_meaning_of_naive() -> None:
    at = AppTest.from_file(MAIN, default_timeout=120)
    at.run()
    at.switch_page("views/cost/page.py")
    at.query_params["cost_network"] = "inception5h"
    at.query_params["quantity"] = "parameters"
    at.run()
    assert not at.exception
    assert at.selectbox(key="cost_network").value == "inception5h"
    real, naive = compute_report(get_spec("inception5h")).modules_total()
    assert f"{tables.amount(real.params)} instead of {tables.amount(naive.params)}" in words(at)
