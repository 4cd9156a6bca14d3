"""The quiet card that leads along the pages, step by step: the tour's and the stories'.

It marks the part of the page that a step speaks of, brings it into view and keeps clear of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from app.static import script, style
from app.templates import render

KEY = "tour"


@dataclass(frozen=True)
class Step:
    """What a step says, on which page, and the part of the page that it speaks of (a CSS selector, or several: the
    first that the window has room for)."""

    page: str
    title: str
    text: str
    about: str
    choose: Callable[[], None] | None = None
    """Sets the choices that the step speaks of, when it is gone to; None: those that are there."""


_CARD = st.components.v2.component(
    "scope_tour",
    html=render("guide.html"),
    css=style("tour"),
    js=script("tour"),
)


def follow(steps: Sequence[Step], step: int, page: str) -> int:
    """The step to show on a page: the nearest one that speaks of it, or the same where none does. 0: none is shown."""
    its_own = [number for number, known in enumerate(steps, 1) if known.page == page]
    return min(its_own, key=lambda number: abs(number - step)) if step and its_own else step


def show(
    kind: Literal["tour", "story"], steps: Sequence[Step], step: int, go: Callable[[int], None], asked: bool
) -> None:
    """The card at a step (0: no card); in a callback, `go` gets the step that was asked for, 0 to leave.

    `asked`: it was asked for, so it is shown also where this browser has left the tour before. Drawn before the page,
    so that it stays where it is when the page changes.
    """

    def answered() -> None:
        answer: Any = (st.session_state.get(KEY) or {}).get("go")
        if isinstance(answer, int) and 0 <= answer <= len(steps):
            go(answer)

    told = [{"title": known.title, "text": known.text, "about": known.about} for known in steps]
    with st.container(key="tour-corner"):
        _CARD(key=KEY, data={"kind": kind, "steps": told, "step": step, "asked": asked}, on_go_change=answered)
