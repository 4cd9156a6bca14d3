"""Widgets whose choice outlives a page change: Streamlit forgets a widget's value when its page is left."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import streamlit as st

from app import state


def kept(
    widget: Callable[..., Any],
    label: str,
    option: str,
    default: Any,
    allowed: Collection[Any] | None = None,
    **settings: Any,
) -> Any:
    """Draws `widget(label, ...)` with the choice kept under `option` (start it with the page's name); returns it.

    With `allowed`, a kept choice that is no longer among them gives way to the default.
    """
    key = option.replace(".", "-")

    def changed() -> None:
        state.set_option(option, st.session_state[key])

    chosen = state.option(option, default)
    if allowed is not None and chosen not in allowed:
        chosen = default
    st.session_state[key] = chosen
    return widget(label, key=key, on_change=changed, **settings)
