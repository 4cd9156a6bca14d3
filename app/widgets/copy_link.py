"""A button in the bar on top that copies the address: a link to exactly this view."""

from __future__ import annotations

import streamlit as st

from app.static import script, style
from app.templates import render

_CSS = style("copy_link")

_JS = script("copy_link")

_COPY = st.components.v2.component(
    "scope_copy_link",
    html=render("copy_link.html"),
    css=_CSS,
    js=_JS,
)


def show() -> None:
    """The button, at the right end of the bar on top (`theme` places it)."""
    with st.container(key="copy-link"):
        _COPY(key="copy-link-button")
