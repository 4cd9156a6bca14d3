"""A plotly figure on a page: the house's tools, a text for those who don't see it, and the page's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TOOLS = [["zoom2d", "resetScale2d", "toImage"]]
"""What the bar over a chart offers; double click resets as well."""


def config(name: str) -> dict[str, Any]:
    """Plotly's settings: three tools that show under the pointer, no logo, an image file of that name."""
    return {
        "displaylogo": False,
        "displayModeBar": "hover",
        "modeBarButtons": TOOLS,
        "toImageButtonOptions": {"format": "svg", "filename": name},
        "scrollZoom": False,
    }


def show(figure: Figure, key: str, alt: str, name: str | None = None) -> None:
    """Draws the figure as wide as its place, at its own height; `alt` says what it shows, with its numbers.

    `name`: of the file that the camera button makes (default: the key).
    """
    st.plotly_chart(figure, key=key, theme=None, width="stretch", height="content", config=config(name or key), alt=alt)
