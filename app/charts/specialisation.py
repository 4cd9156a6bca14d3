"""Whether branches specialise: a dot per channel, row by row, and how many channels prefer which value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from app.charts.template import Trace, branch_colour, colour, ends, figure, rule
from inception_model.architecture.spec import BranchKind
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import BRANCH_NAMES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROW = 64
"""Pixels from one branch to the next."""
FOOT = 28
SHARE = 0.76
"""Of the width, for the dots where bars stand beside them."""


@dataclass(frozen=True)
class Row:
    """One branch: an index from 0 to 1 per channel (C,), not a number where the channel answers nothing; and how many
    channels prefer which of the shown values, empty where nothing is preferred."""

    values: np.ndarray
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Preferred:
    """The values that `Row.counts` count, in words."""

    values: tuple[float, ...]
    unit: str


def median(values: np.ndarray) -> float:
    """The median of what is a number; not a number where nothing is left."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def height(kind: int, channel: np.ndarray | int, rows: int) -> Any:
    """Where a channel's dot stands in its row, counted from the top: dots of like value do not hide each other."""
    return rows - 1 - kind + 0.08 + 0.74 * ((np.asarray(channel) * 0.618034) % 1)


def dots_figure(
    rows: Mapping[BranchKind, Row], preferred: Preferred | None, picked: tuple[BranchKind, int] | None
) -> Figure:
    """A trace of dots per branch, named after it, `customdata` the channel; a line at each branch's median; a ring
    around the picked channel; with `preferred` a trace of bars per branch, all its bars as a share of its highest."""
    traces: list[Trace] = []
    lines, names = [], {}
    for place, (kind, row) in enumerate(rows.items()):
        name, floor = BRANCH_NAMES[kind], len(rows) - 1 - place
        known = np.flatnonzero(~np.isnan(row.values))
        names[floor + 0.45] = name if len(known) else f"{name}<br>silent"
        values = row.values[known]
        traces.append({
            "type": "scatter", "mode": "markers", "name": name, "x": values.tolist(),
            "y": height(place, known, len(rows)).tolist(), "customdata": known.tolist(), "cliponaxis": False,
            "hovertemplate": f"{name}, channel %{{customdata}}: <b>%{{x:.2f}}</b><extra></extra>",
            "marker": {"color": branch_colour(kind), "size": 6, "opacity": 0.75},
            # A picked dot has its ring; plotly would fade all others.
            "selected": {"marker": {"opacity": 0.75}}, "unselected": {"marker": {"opacity": 0.75}},
        })  # fmt: skip
        if len(known):
            middle = median(row.values)
            lines.append(rule(middle, floor, middle, floor + 0.9, dash="solid", name="ink") | {"layer": "above"})
        if picked is not None and picked[0] == kind and picked[1] in known:
            traces.append({
                "type": "scatter", "mode": "markers", "name": "picked", "x": [float(row.values[picked[1]])],
                "y": [float(height(place, picked[1], len(rows)))], "hoverinfo": "skip", "cliponaxis": False,
                "marker": {"symbol": "circle-open", "size": 13, "color": colour("ink"), "line": {"width": 2.5}},
            })  # fmt: skip
        if preferred is not None and any(row.counts):
            tall = max(row.counts)
            traces.append({
                "type": "bar", "name": f"{name} prefers", "xaxis": "x2", "x": list(range(len(row.counts))),
                "y": [0.85 * count / tall for count in row.counts], "base": [floor] * len(row.counts),
                "customdata": [[count, value] for count, value in zip(row.counts, preferred.values, strict=True)],
                "hovertemplate": f"{name}: <b>%{{customdata[0]}}</b> channels prefer %{{customdata[1]:g}}"
                                 f"{preferred.unit}<extra></extra>",
                "marker": {"color": branch_colour(kind), "line": {"width": 0}},
            })  # fmt: skip
        lines.append(rule(0, floor, 1, floor, dash="solid"))
    axes: dict[str, Any] = {}
    if preferred is not None:
        axes["xaxis2"] = {"domain": [SHARE + 0.04, 1], "anchor": "y", "showticklabels": False, "fixedrange": True}
    return figure(
        traces, height=ROW * len(rows) + FOOT, shapes=lines, margin={"l": 44, "r": 8, "t": 2, "b": FOOT}, bargap=0.15,
        barmode="overlay", clickmode="event+select",
        xaxis=ends(0, 1, {0.0: "0", 0.5: "0.5", 1.0: "1"}, domain=[0, SHARE if preferred is not None else 1]),
        yaxis=ends(0, len(rows), names, fixedrange=True), **axes,
    )  # fmt: skip


def dots_words(title: str, rows: Mapping[BranchKind, Row], preferred: Preferred | None) -> str:
    """Median, number of channels and the strongest one of every branch, and what most of them prefer."""
    return f"{title}. " + "; ".join(f"{BRANCH_NAMES[kind]}: {_row_words(row, preferred)}" for kind, row in rows.items())


def _row_words(row: Row, preferred: Preferred | None) -> str:
    middle = median(row.values)
    if np.isnan(middle):
        return "silent"
    best = int(np.nanargmax(row.values))
    said = (
        f"median {number(middle)} of {int((~np.isnan(row.values)).sum())} channels, strongest {best} "
        f"({number(float(row.values[best]))})"
    )
    if preferred is None or not any(row.counts):
        return said
    counted = zip(row.counts, preferred.values, strict=True)
    return f"{said}, preferred: " + ", ".join(f"{count} at {value:g}{preferred.unit}" for count, value in counted)
