"""Two photos on the page Why: which branches of the first turn the second one's answer."""

from __future__ import annotations

import streamlit as st

from app import theme
from app.charts.patching import patching_figure, patching_words
from app.jobs.attribution import cost_words, words_of
from app.jobs.patching import Patching, cost, goal_of, patching_job
from app.state.panel import Panels
from app.templates import render
from app.widgets import chart, progress
from inception_model.analysis.patching import PatchError
from inception_model.architecture.address import Part
from inception_model.architecture.spec import HeadName
from inception_model.drawing.numbers import signed
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.inference.targets import Target


def show(panels: Panels, head: HeadName, target: Target) -> None:
    """The section, where two photos are compared; on request, for it takes a while."""
    if len(panels) < 2:
        return
    first, second = panels
    try:
        goal = goal_of(first, second, head, target)
    except PatchError:
        theme.heading(
            "What must be carried over to turn the answer",
            f"{head} says the same for both photos: choose a contrast of two classes above. (Paper, Figure 2(b).)",
        )
        return
    theme.heading(
        "What must be carried over to turn the answer",
        f"{second.photo.name} runs again with one branch's activations taken from {first.photo.name}: how far does "
        f"that carry the score of {words_of(goal)} at {head} from one photo to the other? 0% leaves it, 100% is "
        "all the way. (Meng et al. 2022, section 2; the branches: paper, Figure 2(b).)",
    )
    st.html(render("quiet.html", text=cost_words(cost(head))))
    found: Patching | None = progress.answer(
        second, "why-patching", patching_job(first, second, head, goal), "Carrying branches over",
        ask="Carry each branch over",
    )  # fmt: skip
    if found is not None:
        left, _ = st.columns([560, 636], gap="medium")
        with left:
            chart.show(patching_figure(found.effects), "why-patching-chart", patching_words(found.effects), "patching")
        st.html(render("say.html", text=in_words(found, first.photo.name, second.photo.name)))


def in_words(found: Patching, first: str, second: str) -> str:
    """The two scores, the strongest branch, and what turns the answer."""
    effects, turned = found.effects, found.turn
    part, effect = effects.strongest
    steps = ", then ".join(
        f"{_name(part)} ({share:.0%})" for part, share in zip(turned.parts, turned.effects, strict=True)
    )
    ends = (
        f"{words_of(effects.target)} has {signed(effects.score_a)} logits for {first} and {signed(effects.score_b)} "
        f"for {second}. Alone, {_name(part)} goes furthest: {effect:.0%} of the way."
    )
    if not turned.turned:
        return f"{ends} Nothing turns the answer into that class."
    return f"{ends} To turn the answer of {second}, carry over {steps}."


def _name(part: Part) -> str:
    return f"{BRANCH_NAMES[part.branch]} of {part.module}" if part.branch else part.module
