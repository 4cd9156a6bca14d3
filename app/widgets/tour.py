"""Five steps for the first visit: a quiet card in the corner that leads along the pages and can be left at once.

The session knows the step; the browser's localStorage remembers that the tour was left, so that it does not come back
at the next visit. Who comes by a link to a page or a view has somewhere to go and is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.state import navigation, session
from app.state.options import TOUR_ASKED, TOUR_STEP
from app.static import script, style

KEY = "tour"


@dataclass(frozen=True)
class Step:
    """What a step says, on which page, and the part of the page that it speaks of (a CSS selector)."""

    page: str
    title: str
    text: str
    about: str


STEPS: tuple[Step, ...] = (
    Step(
        "look",
        "Choose a photo",
        "Drop one of yours, or pick a sample in the filmstrip: all pages follow it.",
        ".st-key-upload",
    ),
    Step(
        "look",
        "Three heads answer",
        "Two auxiliary classifiers in the middle and the main one at the end: do they agree, or change their mind?",
        ".scope-heads",
    ),
    Step(
        "look",
        "Go inside",
        "A column is an Inception module, its lanes are the four branches. Click a lane, or press Next.",
        ".st-key-map",
    ),
    Step(
        "module",
        "Pick a channel",
        "Each small picture is what one channel makes of your photo. Click one to lay it over the photo.",
        ".st-key-module-figure",
    ),
    Step(
        "why",
        "Why, how sure, at what price",
        "A map of what spoke for the answer. Trust opens what the map was tested with; the page Cost counts the work.",
        ".st-key-why-drawn-as",
    ),
)

_TOUR = st.components.v2.component(
    "scope_tour",
    html='<p class="told" role="status"></p>\n'
    '<section class="tour" role="dialog" aria-labelledby="title" aria-describedby="text" tabindex="-1" hidden>'
    '<p class="place"></p><p id="title"></p><p id="text"></p>'
    '<div><button type="button" class="skip">Skip</button><button type="button" class="back">Back</button>'
    '<button type="button" class="next">Next</button></div></section>\n',
    css=style("tour"),
    js=script("tour"),
)


def begin(page: str) -> None:
    """At a session's first run: offers the tour to who comes to the first page by no link. Call it in every run."""
    if session.option(TOUR_STEP) is None:
        session.set_option(TOUR_STEP, 1 if page == STEPS[0].page and not st.query_params else 0)


def follow(step: int, page: str) -> int:
    """The step to show on a page: the nearest one that speaks of it, or the same where none does. 0: no tour."""
    its_own = [number for number, known in enumerate(STEPS, 1) if known.page == page]
    return min(its_own, key=lambda number: abs(number - step)) if step and its_own else step


def take() -> None:
    """From a callback: starts the tour, also where this browser has left it before."""
    session.set_option(TOUR_ASKED, True)
    _go(1)


def _go(step: int) -> None:
    session.set_option(TOUR_STEP, step)
    if step:
        navigation.go_to(STEPS[step - 1].page)


def show(page: str) -> None:
    """The card, if the tour is on. Drawn before the page, so that it stays where it is when the page changes."""

    def answered() -> None:
        answer: Any = (st.session_state.get(KEY) or {}).get("go")
        if isinstance(answer, int) and 0 <= answer <= len(STEPS):
            _go(answer)

    before = session.option(TOUR_STEP) or 0
    step = follow(before, page)
    if step != before:
        session.set_option(TOUR_STEP, step)
    steps = [{"title": known.title, "text": known.text, "about": known.about} for known in STEPS]
    with st.container(key="tour-corner"):
        _TOUR(
            key=KEY,
            data={"steps": steps, "step": step, "asked": session.option(TOUR_ASKED)},
            on_go_change=answered,
        )
