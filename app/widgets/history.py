"""What makes the browser's Back and Forward go through the user's acts, one press each. Nothing of it is seen."""

from __future__ import annotations

import streamlit as st

from app.static import script

_HISTORY = st.components.v2.component("scope_history", html="<i hidden></i>\n", js=script("history"))


def watch() -> None:
    """To be called in every whole run, before the page is drawn."""
    with st.container(key="history"):
        _HISTORY(key="history-steps")
