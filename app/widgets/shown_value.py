"""A widget that shows what the session keeps, also where the browser never sees the run that first drew it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import streamlit as st


def draw(widget: Callable[..., Any], label: str, key: str, value: Any, **settings: Any) -> Any:
    """Draws `widget(label, ...)` so that it shows the value; returns what Streamlit says that it holds.

    Where the widget holds another value, this one is assigned. Streamlit takes every assignment for a change, and the
    browser then drops what was just typed or moved and is not sent yet: so nothing is assigned where nothing differs.
    An assignment alone would not do for a new widget either: what a run has drawn is thrown away where the next one
    begins before it is sent, and that one no longer knows of the assignment. So the value is the widget's own default.
    """
    if isinstance(value, tuple):
        value = list(value)  # as Streamlit holds it; it takes a tuple for one choice
    if key in st.session_state and st.session_state[key] != value:
        st.session_state[key] = value
    else:
        settings |= _as_default(widget, value, settings)
    return widget(label, key=key, **settings)


def _as_default(widget: Callable[..., Any], value: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that make the value the widget's default."""
    parameters = inspect.signature(widget).parameters
    if "index" in parameters:
        if value is None:
            return {"index": None}
        choices = list(settings["options"])
        if value not in choices and settings.get("accept_new_options"):
            choices.insert(0, value)
        return {"options": choices, "index": choices.index(value)}
    name = next(name for name in ("default", "value") if name in parameters)
    return {name: value}
