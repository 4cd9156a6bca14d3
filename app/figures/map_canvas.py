"""What drawings of the network are drawn on: an SVG whose parts with `data-go` answer to a click, Enter and Space.

The Tab key stops once at the whole drawing, arrow keys go through its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from app.static import script, style
from app.templates import render

_CSS = style("map_canvas")

_JS = script("map_canvas")

_CANVAS = st.components.v2.component("scope_map", html=f"{render('map_canvas.html')}\n", css=_CSS, js=_JS)


def canvas(svg: str, key: str, go: Callable[[str], None], height: int | Literal["content"] = "content") -> None:
    """Shows the drawing; in a callback, `go` gets the `data-go` of the part that was chosen."""

    def went() -> None:
        answer: Any = st.session_state.get(key)
        if where := str((answer or {}).get("go") or ""):
            go(where)

    _CANVAS(key=key, data={"svg": svg}, on_go_change=went, height=height)
