"""Inline drawings: `st.html` strips SVG, a component does not."""

from __future__ import annotations

import streamlit as st

from app.static import script
from app.templates import render

_JS = script("inline_svg")

_DRAWING = st.components.v2.component(
    "scope_drawing",
    html=render("drawing.html"),
    css=":host { display: block; }\n.drawing { color: var(--ink); line-height: 1.4; }\n",
    js=_JS,
)


def draw(html: str, key: str) -> None:
    """Puts HTML with inline SVG on the page, in a shadow root of its own: bring the styles along.

    Every text that comes from outside (names, labels) must be escaped already, as `app.templates.render` does.
    """
    _DRAWING(key=key, data={"html": html})
