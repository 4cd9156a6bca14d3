"""How often a channel's map takes which value."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from app.charts.template import colour, ends, figure
from inception_model.drawing.numbers import number

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 116


def histogram_figure(values: np.ndarray, bins: int = 28) -> Figure:
    """The values above zero in `bins` equal bins from 0 to the largest; zeros are named below, not drawn."""
    flat = np.asarray(values, np.float64).ravel()
    positive = flat[flat > 0]
    top = float(flat.max()) if len(positive) else 1.0
    counts, edges = np.histogram(positive, bins=bins, range=(0, top))
    trace = {
        "type": "bar", "name": "positions", "x": ((edges[:-1] + edges[1:]) / 2).tolist(), "y": counts.tolist(),
        "width": [0.8 * top / bins] * bins,
        "customdata": [[number(float(a)), number(float(b))] for a, b in pairwise(edges)],
        "hovertemplate": "%{customdata[0]} to %{customdata[1]}: <b>%{y}</b> positions<extra></extra>",
        "marker": {"color": colour("mut"), "opacity": 0.8, "line": {"width": 0}},
    }  # fmt: skip
    return figure(
        [trace], height=HEIGHT, bargap=0, margin={"l": 8, "r": 22, "t": 4, "b": 38},
        xaxis=ends(0, top, {0.0: "0", top: number(top)}, showline=True, linecolor=colour("mut"),
                   title={"text": zeros_words(flat), "standoff": 2}),
        yaxis={"range": [0, max(int(counts.max()), 1) * 1.04], "showticklabels": False, "fixedrange": True},
    )  # fmt: skip


def zeros_words(values: np.ndarray) -> str:
    """What is left out."""
    return f"{int((values <= 0).sum())} of {values.size} positions are zero and not drawn"


def histogram_words(values: np.ndarray) -> str:
    """What the histogram is of, in numbers."""
    positive = int((values > 0).sum())
    top = number(float(values.max()) if positive else 1.0)
    return f"Histogram: {positive} of {values.size} positions above zero, up to {top}"
