"""Presentation mode, for a class: large type, each page's own figure over the whole width, number keys for the pages.

A choice of the session and an entry of the address; the key P and a button enter it, Escape and a button leave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.state import navigation, options, session
from app.static import script, style
from app.templates import render, style_tag

KEY = "present-keys"

_KEYS = st.components.v2.component(
    "scope_present",
    html=render("present.html"),
    css=style("present_keys"),
    js=script("present_keys"),
)


def on() -> bool:
    """Whether the pages are presented: then each shows its own figure and nothing else."""
    return session.option(options.PRESENT)


def watch(pages: Mapping[str, str]) -> None:
    """The keys and the button, in every run before the page; `pages`: name -> title, in the order of the numbers."""

    def pressed() -> None:
        wanted: Any = (st.session_state.get(KEY) or {}).get("go")
        if wanted in pages and on():
            navigation.go_to(wanted)
        elif wanted in ("on", "off"):
            session.set_option(options.PRESENT, wanted == "on")

    if on():
        st.html(style_tag("present"))
    with st.container(key="present"):
        _KEYS(key=KEY, data={"on": on(), "pages": dict(pages)}, on_go_change=pressed)
