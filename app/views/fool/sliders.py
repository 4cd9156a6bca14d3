"""Six disturbances as sliders on the photo, the heads' answers beside them, and under each slider where they flip."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import theme
from app.charts import fooling as charts
from app.jobs.fooling import chosen_strengths, mixture, strengths_job
from app.state import network, options, session
from app.state.panel import Panel
from app.templates import render, style_tag
from app.views.fool import words
from app.widgets import chart, progress, teach
from app.widgets.persistent_choice import persistent_choice
from inception_model.images.disturbances import DISTURBANCES
from inception_model.robustness.strengths import Strengths

ACROSS = 3
"""Sliders beside each other: all six are seen at once with the answers."""


def _clear() -> None:
    """From a callback: nothing is disturbed any more."""
    for name, kind in DISTURBANCES.items():
        session.set_option(options.of_disturbance(name), kind.clean)


@st.fragment
def show(panel: Panel) -> None:
    """A fragment: a slider runs this part alone again. The whole page runs when all strengths have been asked."""
    st.html(style_tag("fool"))
    title = st.container()
    clean = mixture(panel, {})
    with st.container(key="fool-split"):
        left, right = st.columns([4, 9], gap="medium")
    with right:
        jobs = {name: strengths_job(panel, name) for name in DISTURBANCES}
        known = progress.answers(
            panel, "fool-strengths", list(jobs.values()), "Every strength of every disturbance", low_priority=True
        )
        found = {name: known.get(job.key) for name, job in jobs.items()}
        names = list(DISTURBANCES)
        for row in (names[at : at + ACROSS] for at in range(0, len(names), ACROSS)):
            for column, name in zip(st.columns(ACROSS, gap="medium"), row, strict=True):
                with column:
                    _slider(name, found[name])
    with left, st.container(key="fool-live"):
        st.html(words.live_html(mixture(panel, chosen_strengths()), clean, panel.photo.name))
        st.button("As it was", key="fool-clear", on_click=_clear, disabled=not chosen_strengths())
    with title:
        head = network.trained_heads()[-1]
        swept = [each for each in found.values() if each is not None]
        theme.heading(
            "What turns the answer?", words.sentence(swept if len(swept) == len(jobs) else [], head, clean.top[head][0])
        )
    teach.note("disturbances")


def _slider(name: str, found: Strengths | None) -> None:
    kind = DISTURBANCES[name]
    with st.container(key=f"fool-{name}-cell", gap=None):
        persistent_choice(
            st.select_slider, kind.label, options.of_disturbance(name), kind.strengths,
            options=kind.strengths, format_func=kind.words, help=kind.reading,
        )  # fmt: skip
        if found is None:
            return
        chart.later(
            partial(charts.strengths_figure, found, network.label), charts.HEIGHT, f"fool-{name}-chart",
            charts.strengths_words(found, network.label), name,
        )  # fmt: skip
        st.html(words.flips_html(found))


def alone() -> None:
    """What stands where no head was trained."""
    theme.heading("What turns the answer?")
    st.html(render("quiet.html", text="No head of this checkpoint was trained, so there is no answer to turn."))
