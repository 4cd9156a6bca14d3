"""A part of a page that is made only when the page has come to rest and its place is near the window."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.state import session
from app.static import script, style
from app.templates import render
from app.widgets.chart import DRAWN

_LATER = st.components.v2.component(
    "scope_later",
    html=render("later.html"),
    css=style("chart_later"),
    js=script("chart_later"),
)


@st.fragment
def later(draw: Callable[[], None], height: int, key: str, alt: str) -> None:
    """An empty place of that height (pixels) with a text, then what `draw` puts there; as charts come later."""
    drawn: frozenset[str] = session.get(DRAWN, frozenset())
    if key in drawn:
        draw()
        return

    def asked() -> None:
        known: frozenset[str] = session.get(DRAWN, frozenset())
        session.put(DRAWN, known | {key})

    _LATER(key=f"{key}-later", data={"alt": alt}, height=height, on_near_change=asked)
