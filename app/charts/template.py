"""The one plotly template of this house, and the few helpers that all charts share.

Figures are drawn in the light palette. On a page `app.theme.chart_rules` gives the greys (text, rules, the main head)
the page's own values, so that a chart follows light and dark without being drawn again; branch and head colours are
the same on both. An exported picture has the light greys on a transparent ground.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from inception_model.drawing.palette import COLOURS

if TYPE_CHECKING:  # plotly takes a third of a second to import: only pages with charts wait for it
    from plotly.graph_objects import Figure

NAME = "inceptionscope"
CLEAR = "rgba(0,0,0,0)"

Axis = dict[str, Any]
Trace = dict[str, Any]


def colour(name: str) -> str:
    """A palette colour by the name of its CSS variable: `b5x5`, `aux1`, `ink`, `mut`, ..."""
    return COLOURS[name][0]


def branch_colour(kind: str | None) -> str:
    """The colour of a branch; what belongs to none is grey."""
    return colour(f"b{kind}") if kind else colour("mut")


def plain(text: str) -> str:
    """Text from outside for a title, a label or a hover: plotly reads tags and entities, so they are escaped."""
    return html.escape(text, quote=False)


def layout() -> dict[str, Any]:
    """The template's layout: transparent, grey rules, no grid, a hover label in the page's colours."""
    axis: Axis = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "ticklabeloverflow": "allow",
        "tickfont": {"size": 12, "color": colour("mut")},
        "title": {"font": {"size": 12, "color": colour("mut")}},
        "linecolor": colour("line"),
        "gridcolor": colour("line"),
    }
    return {
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": "Source Sans, Source Sans Pro, system-ui, sans-serif", "size": 13, "color": colour("ink")},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": colour("card"),
            "bordercolor": colour("mut"),
            "font": {"size": 13, "color": colour("ink")},
            "align": "left",
        },
        "dragmode": "zoom",
        "modebar": {"bgcolor": CLEAR, "color": colour("mut"), "activecolor": colour("ink")},
        "xaxis": axis,
        "yaxis": axis,
        "colorway": [colour(name) for name in ("b1x1", "b3x3", "b5x5", "bpool")],
    }


def figure(traces: Iterable[Trace], *, height: int, **settings: Any) -> Figure:
    """A figure of these traces, `height` pixels high and as wide as its place; `settings`: plotly layout.

    Built from dictionaries, which plotly checks in a fraction of the time that its classes take. Raises ValueError for
    a property that plotly does not know.
    """
    import plotly.graph_objects as go
    import plotly.io as pio

    if NAME not in pio.templates:
        pio.templates[NAME] = go.layout.Template(layout=layout())
    return go.Figure({"data": list(traces), "layout": {"template": NAME, "height": height, **settings}})


def rule(x0: Any, y0: Any, x1: Any, y1: Any, *, dash: str = "dot", name: str = "line", **where: Any) -> dict[str, Any]:
    """A thin line below the traces, in a grey of the palette; `where`: xref and yref."""
    return {
        "type": "line", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "layer": "below",
        "line": {"color": colour(name), "width": 1, "dash": dash}, **where,
    }  # fmt: skip


def note(text: str, *, x: float, y: float, **settings: Any) -> dict[str, Any]:
    """A text without an arrow (an annotation); the caller has escaped what comes from outside."""
    return {"text": text, "x": x, "y": y, "showarrow": False, **settings}


def ends(low: float, high: float, names: Mapping[float, str], **settings: Any) -> Axis:
    """An axis from low to high that names these values only."""
    return {"range": [low, high], "tickvals": list(names), "ticktext": list(names.values()), **settings}
