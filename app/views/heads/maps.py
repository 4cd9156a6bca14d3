"""A map per head: three across for one photo; for two a row per head, its pair on one scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from app.figures import attribution_map
from app.jobs.attribution import Question, attribution_job, words_of
from app.state.panel import Panel, Panels
from app.templates import render
from app.widgets import progress
from app.widgets.halves import Title, halves
from inception_model.architecture.spec import HeadName
from inception_model.attribution import Attribution
from inception_model.drawing.colormaps import full_scale
from inception_model.drawing.numbers import short

Answered = dict[HeadName, tuple[Question, Attribution]]


def show(panels: Panels, questions: Callable[[Panel], Sequence[Question]], shared: bool, patience: float) -> None:
    """`questions`: what is asked about a panel's photo, one per head; `shared` puts all maps on one scale."""
    found = {panel.key: _answered(panel, questions(panel), patience) for panel in panels}
    tops: dict[HeadName, float] = {}
    for head, (_, attribution) in (pair for half in found.values() for pair in half.items()):
        tops[head] = max(tops.get(head, 0.0), full_scale(attribution.heatmap.numpy()))

    def draw(head: HeadName, panel: Panel, above: Title = None) -> None:
        if head in found[panel.key]:
            _head_map(panel, *found[panel.key][head], max(tops.values()) if shared else tops[head])

    if len(panels) == 1:
        for column, head in zip(st.columns(3, gap="medium"), tops, strict=False):
            with column:
                draw(head, panels[0])
    else:
        for head in tops:
            halves(panels, partial(draw, head))


def _answered(panel: Panel, asked: Sequence[Question], patience: float) -> Answered:
    """The maps that are known by now; the others are on their way."""
    jobs = [attribution_job(panel, question) for question in asked]
    found = progress.answers(panel, "heads-maps", jobs, "Maps", patience=patience)
    return {question.head: (question, found[question.key]) for question in asked if question.key in found}


def _head_map(panel: Panel, question: Question, attribution: Attribution, scale: float) -> None:
    words = short(words_of(question.target))
    attribution_map.show(
        panel,
        attribution,
        f"{question.head} · at {question.layer} · {words}",
        f"heads-{question.head}",
        scale=scale,
        side=380,
    )
    if attribution.note:
        st.html(render("quiet.html", text=attribution.note))
