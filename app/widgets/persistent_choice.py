"""Widgets whose choice outlives a page change: Streamlit forgets a widget's value when its page is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import streamlit as st

from app.state import session
from app.state.options import Option
from app.widgets import shown_value

T = TypeVar("T")

STALE = 2.0
"""Seconds in which a browser may still say what it showed before a default changed; nobody chooses that soon."""


def persistent_choice(
    widget: Callable[..., Any], label: str, option: Option[T], allowed: Collection[Any] | None = None, **settings: Any
) -> T:
    """Draws `widget(label, ...)` with the choice kept as that option of the session; returns it.

    With `allowed`, a kept choice that is no longer among them gives way to the default.
    """
    key = option.name.replace(".", "-")
    shown, before = f"shown.{key}", f"before.{key}"

    def changed() -> None:
        # Where a default follows another choice, a run that was cut short makes Streamlit take the new default for a
        # change: what is shown already was not chosen. And where the browser asks for something else before it has
        # drawn the new default, it still says the old one.
        found, (old, since) = st.session_state[key], session.get(before, (None, -STALE))
        late = found == old and time.monotonic() - since < STALE
        if found != session.get(shown, None) and not late:
            session.set_option(option, found)
            session.put(shown, found)

    chosen = session.option(option)
    if allowed is not None and chosen not in allowed:
        chosen = option.default
    last, now = session.get(shown, chosen), time.monotonic()
    if session.get(option.state_name, None) is None:
        if last != chosen:
            session.put(before, (last, now))
        elif st.session_state.get(key, chosen) == session.get(before, (chosen, now))[0] != chosen:
            session.put(before, (st.session_state[key], now))  # the browser has still not seen the new default
    session.put(shown, chosen)
    found: T = shown_value.draw(widget, label, key, chosen, on_change=changed, **settings)
    return found
