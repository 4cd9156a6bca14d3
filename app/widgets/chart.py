"""A plotly figure on a page: the house's tools, a text for those who don't see it, and the page's colours.

The browser takes longer to load and draw plotly than all the rest of a page. What a page shows by itself is therefore
drawn `later`, when the page's own content is there; what somebody has just asked for with a button is shown at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.state import session
from app.static import script, style
from app.templates import render
from app.widgets import present

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TOOLS = [["zoom2d", "resetScale2d", "toImage"]]
"""What the bar over a chart offers; double click resets as well."""

LARGE = 1.55
"""How many times larger charts are drawn for a class; the style sheet of the presentation grows all else as much."""
_PIXELS = frozenset({"size", "xshift", "yshift", "ticklabelstandoff", "standoff"})

DRAWN = "charts.drawn"
"""Where the session keeps the keys (a frozenset) of the charts that were asked for: from then on they stay drawn."""

_LATER = st.components.v2.component(
    "scope_chart_later",
    html=render("later.html"),
    css=style("chart_later"),
    js=script("chart_later"),
)


def config(name: str) -> dict[str, Any]:
    """Plotly's settings: three tools that show under the pointer, no logo, an image file of that name."""
    return {
        "displaylogo": False,
        "displayModeBar": "hover",
        "modeBarButtons": TOOLS,
        "toImageButtonOptions": {"format": "svg", "filename": name},
        "scrollZoom": False,
    }


def show(
    figure: Figure, key: str, alt: str, name: str | None = None, on_select: Callable[[], None] | None = None
) -> None:
    """Draws the figure as wide as its place, at its own height; `alt` says what it shows, with its numbers.

    `name`: of the file that the camera button makes (default: the key). `on_select`: called after a click on a point,
    which stands in the session under the key; the same choice must be there for those who use no pointer.
    """
    drawn = enlarged(figure) if present.on() else figure
    st.plotly_chart(
        drawn, key=key, theme=None, width="stretch", height="content", config=config(name or key), alt=alt,
        on_select=on_select or "ignore", selection_mode="points",
    )  # fmt: skip


def enlarged(figure: Figure) -> Figure:
    """The figure with everything LARGE times as large that is measured in pixels: text, marks, margins. Its height is
    that of its place, which grows by the style sheet."""

    def grown(value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            return {inner: grown(part, "size" if name == "margin" else inner) for inner, part in value.items()}
        if isinstance(value, (list, tuple)) and name not in ("x", "y", "customdata"):
            return [grown(part) for part in value]
        return round(LARGE * value) if name in _PIXELS and isinstance(value, (int, float)) else value

    return type(figure)(grown(figure.to_dict()))


@st.fragment
def later(make: Callable[[], Figure], height: int, key: str, alt: str, name: str | None = None) -> None:
    """An empty place of the figure's height (pixels) with its text, then the figure, as `show` draws it.

    The place asks for the figure when the page has come to rest and the place is near the window, or after some quiet
    seconds wherever it is (app/static/chart_later.js). `make` is called only then, and only this part runs again.
    """
    if key in _drawn():
        show(make(), key, alt, name)
        return

    def asked() -> None:
        session.put(DRAWN, _drawn() | {key})

    _LATER(key=f"{key}-later", data={"alt": alt}, height=height, on_near_change=asked)


def _drawn() -> frozenset[str]:
    known: frozenset[str] = session.get(DRAWN, frozenset())
    return known
