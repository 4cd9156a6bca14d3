"""A link past navigation and filmstrip, for who goes by keyboard: the first stop of the Tab key, seen only there."""

from __future__ import annotations

import streamlit as st

from app.static import script

_SKIP = st.components.v2.component("scope_skip", html="<i hidden></i>\n", js=script("skip"))


def offer() -> None:
    """To be called in every whole run, before the page is drawn."""
    with st.container(key="skip"):
        _SKIP(key="skip-link")
