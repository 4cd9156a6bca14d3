"""Widgets whose choice outlives a page change: Streamlit forgets a widget's value when its page is left."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import streamlit as st

from app.state import session
from app.state.options import Option

T = TypeVar("T")


def persistent_choice(
    widget: Callable[..., Any], label: str, option: Option[T], allowed: Collection[Any] | None = None, **settings: Any
) -> T:
    """Draws `widget(label, ...)` with the choice kept as that option of the session; returns it.

    With `allowed`, a kept choice that is no longer among them gives way to the default.
    """
    key = option.name.replace(".", "-")

    def changed() -> None:
        session.set_option(option, st.session_state[key])

    chosen = session.option(option)
    if allowed is not None and chosen not in allowed:
        chosen = option.default
    st.session_state[key] = chosen
    found: T = widget(label, key=key, on_change=changed, **settings)
    return found
