"""Charts that wait until the browser asks: their place has their height and text, and nothing is made before."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from streamlit.testing.v1 import AppTest

from app.widgets import chart
from tests.app.asking import good
from tests.app.chart_data import LATER, ask_for_charts

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STUDIES = {"heads": {"study-auxiliary", "study-auxiliary-gradients"}}
"""What comes from the project's own measurements, whatever the network and the photo."""
CHARTS = {
    "module": {"channel-histogram", "channel-profiles"},
    "heads": {"heads-charts", "heads-apart"} | STUDIES["heads"],
    "cost": {"cost-modules", "cost-network", "cost-branches", "cost-lab"},
}
"""What each page shows of the tiny network, which has no probes."""


def places(app: AppTest) -> list[str]:
    """The texts of the places in which a chart is still to come."""
    components = [element.proto for element in app.get("bidi_component")]
    return [json.loads(found.json)["alt"] for found in components if found.component_name == "scope_chart_later"]


def drawn(app: AppTest) -> list[str]:
    """The texts of the charts."""
    return [element.proto.alt for element in app.get("plotly_chart")]


@pytest.mark.parametrize("name", CHARTS)
def test_a_place_says_what_its_chart_says(page: Callable[..., AppTest], name: str) -> None:
    app = page(name, beside=None)
    waiting = places(app)
    assert len(waiting) == len(CHARTS[name])
    assert drawn(app) == []
    good(ask_for_charts(app).run())
    assert drawn(app) == waiting
    assert places(app) == []


@pytest.mark.parametrize("name", CHARTS)
def test_only_the_chart_that_is_asked_for_comes(page: Callable[..., AppTest], name: str) -> None:
    app = page(name, beside=None)
    waiting = places(app)
    app.session_state[f"scope.{chart.DRAWN}"] = frozenset({min(CHARTS[name])})
    good(app.run())
    assert len(drawn(app)) == 1
    assert sorted(drawn(app) + places(app)) == sorted(waiting)


@pytest.mark.parametrize("name", CHARTS)
def test_a_place_is_as_high_as_its_chart(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    heights: dict[str, tuple[int, int]] = {}

    def later(make: Callable[[], Figure], height: int, key: str, alt: str, name: str | None = None) -> None:
        heights[key] = height, make().layout.height

    monkeypatch.setattr(chart, "later", later)
    page(name, beside=None)
    assert set(heights) == CHARTS[name]
    assert set(heights) <= LATER
    for key, (place, figure) in heights.items():
        assert place == figure, key


def test_no_figure_is_made_for_a_place(page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*_: object, **__: object) -> None:
        raise AssertionError("a figure was made that nobody asked for")

    monkeypatch.setattr("app.charts.timeline.figure", made)
    assert len(places(page("heads", beside=None))) == len(CHARTS["heads"])


def test_two_photos_have_charts_of_their_own(page: Callable[..., AppTest]) -> None:
    app = page("heads")
    assert len(places(app)) == 2 * len(CHARTS["heads"] - STUDIES["heads"]) + len(STUDIES["heads"])
    assert len(set(places(app))) == len(places(app))
