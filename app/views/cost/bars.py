"""Costs as bars on the page Cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from app.charts.costs import Panel, bars_figure, bars_height, bars_words
from app.widgets import chart


def show_bars(panels: Sequence[Panel], unit: str, key: str, digits: str = ",") -> None:
    """The panels as one chart; `digits`: how the exact values under the pointer are written (d3 format)."""
    chart.later(partial(bars_figure, panels, unit, digits), bars_height(panels), key, bars_words(panels, unit))
