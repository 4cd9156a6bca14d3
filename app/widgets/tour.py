"""A step for every page on the first visit: a quiet card that leads along the pages and can be left at once.

The session knows the step; the browser's localStorage remembers that the tour was left, so that it does not come back
at the next visit. Who comes by a link to a page or a view has somewhere to go and is not asked.
"""

from __future__ import annotations

import streamlit as st

from app.state import navigation, session
from app.state.options import TOUR_ASKED, TOUR_STEP
from app.widgets import guide
from app.widgets.guide import Step

STEPS: tuple[Step, ...] = (
    Step(
        "look",
        "Choose a photo",
        "Drop one of yours, or pick a sample in the filmstrip: all pages follow it.",
        ".st-key-upload",
    ),
    Step(
        "look",
        "The heads answer",
        "Classifiers in the middle and the main one at the end: do they agree, or does the network change its mind?",
        ".scope-heads, .scope-head:last-child",
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
        "Each small picture below is what one channel makes of your photo. Click one to lay it over the photo.",
        ".st-key-module-choices, .st-key-module-strip",
    ),
    Step(
        "heads",
        "Watch the answer form",
        "One class followed through the depth of the network: where does it come first, and how sure is each head?",
        ".st-key-heads-charts, .st-key-heads-charts-later",
    ),
    Step(
        "why",
        "Why, and can it be believed",
        "A map of what spoke for the answer. Trust unfolds what the map was tested with.",
        ".st-key-trust-why-map",
    ),
    Step(
        "fool",
        "Try to fool it",
        "Blur, turn or shift the photo and see when an answer falls; then the smallest change that turns it.",
        ".st-key-fool-split",
    ),
    Step(
        "vote",
        "Ask more than once",
        "Up to 144 views of the photo, averaged, as in the contest: does the answer stay?",
        ".st-key-vote-choices",
    ),
    Step(
        "cost",
        "What it costs",
        "Solid is what runs, hatched what the 1×1 reductions save.",
        ".st-key-cost-modules-later, .st-key-cost-modules",
    ),
    Step(
        "model",
        "Whose weights these are",
        "Where they come from, how good they are, and what they don't know.",
        ".scope-kv, .scope-kv > *",
    ),
)


def begin(page: str) -> None:
    """At a session's first run: offers the tour to who comes to the first page by no link. Call it in every run."""
    if session.option(TOUR_STEP) is None:
        session.set_option(TOUR_STEP, 1 if page == STEPS[0].page and not st.query_params else 0)


def take() -> None:
    """From a callback: starts the tour, also where this browser has left it before."""
    session.set_option(TOUR_ASKED, True)
    _go(1)


def _go(step: int) -> None:
    session.set_option(TOUR_STEP, step)
    if step:
        navigation.go_to(STEPS[step - 1].page)


def show(page: str) -> None:
    """The card, if the tour is on: at the step of the page that one is on."""
    before = session.option(TOUR_STEP) or 0
    step = guide.follow(STEPS, before, page)
    if step != before:
        session.set_option(TOUR_STEP, step)
    guide.show("tour", STEPS, step, _go, session.option(TOUR_ASKED))
