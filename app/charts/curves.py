"""Insertion and deletion: the score as a map's pixels come or go, beside random rankings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.charts.template import Trace, colour, ends, figure, plain
from inception_model.drawing.numbers import number
from inception_model.trust import Curve

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 150
_TOUCHED = {"insertion": "inserted", "deletion": "deleted"}


def score_range(curve: Curve) -> tuple[float, float]:
    """The lowest and the highest score of all lines, zero among them."""
    every = [value for line in (curve.scores, *curve.random) for value in line]
    return min(0.0, *every), max(0.0, *every)


def curve_figure(curve: Curve) -> Figure:
    """The score over the share of touched pixels: a thin line per random ranking, then the map as a strong one."""
    low, high = score_range(curve)
    traces: list[Trace] = [_line(curve, scores, "random", "mut", 1) for scores in curve.random]
    traces.append(_line(curve, curve.scores, "map", "ink", 2.5))
    room = 0.04 * ((high - low) or 1.0)
    return figure(
        traces, height=HEIGHT, margin={"l": 46, "r": 22, "t": 6, "b": 34},
        xaxis=ends(0, 1, {0.0: "0%", 1.0: "100%"}, showline=True,
                   title={"text": f"pixels {_TOUCHED[curve.direction]}", "standoff": 2}),
        yaxis=ends(low - room, high + room, {value: number(value) for value in (low, high)}),
    )  # fmt: skip


def _line(curve: Curve, scores: Sequence[float], name: str, tone: str, width: float) -> Trace:
    says = {"map": "the map", "random": "random places"}[name]
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": list(curve.shares), "y": list(scores),
        "line": {"color": colour(tone), "width": width}, "opacity": 1 if name == "map" else 0.7, "cliponaxis": False,
        "hovertemplate": f"{says}, %{{x:.0%}} of pixels: <b>%{{y:.3~g}}</b> {plain(curve.unit)}<extra></extra>",
    }  # fmt: skip


def curve_words(curve: Curve) -> str:
    """The areas under the lines, for those who don't see them."""
    return (
        f"{curve.name}: area {curve.auc:.3f} for the map, {curve.random_mean:.3f} with a spread of "
        f"{curve.random_spread:.3f} for random places"
    )


def legend_words(curve: Curve) -> str:
    """Which line is which, and how far the heights reach."""
    low, high = (number(value) for value in score_range(curve))
    return f"Strong: the map. Thin: random places. Height: {curve.unit}, from {low} to {high}."
