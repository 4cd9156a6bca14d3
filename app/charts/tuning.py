"""A tuning curve: how a channel answers as one parameter of a stimulus changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from app.charts.template import Trace, colour, figure, plain, rule
from inception_model.analysis.selectivity import TuningCurve
from inception_model.drawing.numbers import number
from inception_model.images.stimuli import FAMILIES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 216


def tuning_figure(curve: TuningCurve, value: float, answer: float, curve_colour: str = "ink") -> Figure:
    """The measured values as dots, the answer to even grey as a dashed line, the picked value as a ring at its answer.

    `curve_colour`: a palette name. The horizontal axis is in octaves where those are the steps.
    """
    known = FAMILIES[curve.family].RANGES[curve.parameter]
    top = max(*curve.responses, curve.grey, answer) or 1.0
    steps = curve.values[:: max(1, len(curve.values) // 5)]
    low, high = (math.log10(known.low), math.log10(known.high)) if known.octaves else (known.low, known.high)
    drawn, ink, room = colour(curve_colour), colour("ink"), 0.03 * (high - low)
    along = f"{plain(curve.parameter)} %{{x:.4~g}} {plain(curve.unit)}: <b>%{{y:.3~g}}</b>"
    place = ((math.log10(value) if known.octaves else value) - low) / (high - low)
    traces: list[Trace] = [
        {"type": "scatter", "mode": "lines", "name": "grey", "x": [known.low, known.high], "y": [curve.grey] * 2,
         "line": {"color": colour("mut"), "width": 1, "dash": "dot"},
         "hovertemplate": "even grey: <b>%{y:.3~g}</b><extra></extra>"},
        {"type": "scatter", "mode": "lines+markers", "name": "measured", "x": list(curve.values),
         "y": list(curve.responses), "line": {"color": drawn, "width": 2}, "marker": {"color": drawn, "size": 7},
         "hovertemplate": along + "<extra></extra>", "cliponaxis": False},
        {"type": "scatter", "mode": "markers+text", "name": "picked", "x": [value], "y": [answer],
         "text": [f"<b>{value:g}: {number(answer)}</b>"], "cliponaxis": False,
         "textposition": "top left" if place > 0.5 else "top right", "textfont": {"color": ink},
         "marker": {"size": 12, "color": colour("bg"), "line": {"color": ink, "width": 2.5}},
         "hovertemplate": "the picture above, " + along + "<extra></extra>"},
    ]  # fmt: skip
    return figure(
        traces, height=HEIGHT, shapes=[rule(value, 0, value, answer, dash="dash", name="ink")],
        margin={"l": 46, "r": 10, "t": 22, "b": 46},
        xaxis={"type": "log" if known.octaves else "linear", "range": [low - room, high + room], "showline": True,
               "tickvals": list(steps), "ticktext": [number(step) for step in steps],
               "title": {"text": f"{plain(curve.parameter)}, {plain(known.unit)}"}},
        yaxis={"range": [0, top * 1.04], "tickvals": [0, top], "ticktext": ["0", number(top)], "showline": True},
    )  # fmt: skip


def tuning_words(curve: TuningCurve, value: float, answer: float) -> str:
    """What the curve says, with its numbers."""
    strongest, weakest = max(curve.responses), min(curve.responses)
    if strongest <= 0:
        return f"Silent at all {len(curve.values)} values of {curve.parameter}."
    if not curve.selective:
        return (
            f"Along {curve.parameter} it is not selective: its mean answer lies between {number(weakest)} and "
            f"{number(strongest)}, nowhere above its answer to an even grey, {number(curve.grey)}; at the picked "
            f"{value:g} it is {number(answer)}."
        )
    return (
        f"Along {curve.parameter} its mean answer lies between {number(weakest)} and {number(strongest)}, strongest at "
        f"{number(curve.best)} {curve.unit}; at the picked {value:g} it is {number(answer)}, to an even grey "
        f"{number(curve.grey)}."
    )
