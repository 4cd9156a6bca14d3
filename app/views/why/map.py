"""The map that the page Why is about, with its numbers and badge, and the gallery that compares it with others."""

from __future__ import annotations

import html
from typing import cast

import streamlit as st

from app import state, theme
from app.figures import attribution_map, trust_badge
from app.figures.head_cards import percent
from app.jobs import background
from app.jobs.attribution import QUICK_COST, Question, ask, explaining, words_of
from app.views.why import choices
from app.widgets import teach
from app.widgets.persistent_choice import kept
from inception_model.architecture.spec import HeadName
from inception_model.attribution import METHODS, Attribution, allowed_layers
from inception_model.attribution.reading import PAPERS

GALLERY_METHODS = ("saliency", "input_x_gradient", "guided_backprop", "gradcam")
"""What the gallery shows at first: four that differ, each quick."""
MODES = {"methods": "several methods", "heads": "the heads"}
GALLERY_SIDE = 380
PATIENCE = 1.5
"""Seconds that the page waits for a quick map before it shows a progress bar."""


def title_and_sentence(question: Question) -> tuple[str, str]:
    """What one sees, with numbers and the method's paper."""
    target, found = words_of(question.target), state.of_each(lambda: (state.current_photo().name, _known(question)))
    known = found[0][1] if len(found) == 1 else "; ".join(f"{name}: {words}" for name, words in found)
    return f"What speaks for {target}", (
        f"Red speaks for {target} at {question.head} ({known}), blue against it, on one scale about zero. "
        f"({PAPERS[question.method]}.)"
    )


def _known(question: Question) -> str:
    """The target's score on the photo, and its probability where it is one class."""
    logits = state.trace().logits(question.head)
    score = float(question.target.score(logits)[0])
    if question.target.minus is not None:
        return f"{score:+.2f} logits between the two"
    return f"{score:+.2f} logits, {percent(float(logits[0].softmax(0)[question.target.index]))}"


def answer(question: Question) -> Attribution | None:
    """The map, or None with its progress on the page as long as there is none."""
    found: Attribution | None = background.answer(
        "why-map",
        question.key,
        explaining(question),
        choices.method_label(question.method),
        patience=PATIENCE if question.quick else 0.3,
    )
    if found is None:
        background.stop("why-map-")  # the checks of the map before: nobody looks at them now
    else:
        state.set_option("why.seconds", found.seconds / question.cost)
    return found


def show(question: Question) -> None:
    """The map, its numbers, and its badge."""
    found = answer(question)
    if found is None:
        return
    ends, strength = state.option("why.ends", "99%"), state.option("why.strength", 60) / 100
    left, right = st.columns([560, 316], gap="medium")
    with left:
        attribution_map.show(
            found,
            choices.in_words(question),
            "why-map-figure",
            scale=attribution_map.scale_of(found, ends),
            strength=strength,
        )
    with right:
        with st.container(key="why-drawn-as", horizontal=True, gap="small"):
            badge = trust_badge.show(question, found, "why-map", auto=True)
            colours()
        if badge.words:
            words = f"<b>{html.escape(badge.state.capitalize())}.</b> {html.escape(badge.words)}"
            st.html(f'<div class="scope-say">{words}</div>')
        theme.key_values(attribution_map.facts(found))


def colours() -> None:
    """How the map is drawn: where its colours end, and how strong they are."""
    with st.popover("Colours", key="why-colours"):
        kept(
            st.segmented_control, "Colours end at the", "why.ends", "99%", attribution_map.ENDS,
            options=list(attribution_map.ENDS), format_func=attribution_map.ENDS.get, required=True,
        )  # fmt: skip
        kept(st.slider, "Share of the map's colour, %", "why.strength", 60, min_value=10, max_value=100, step=10)


def gallery(question: Question) -> None:
    """Several methods, or the heads under one method, side by side."""
    mode = state.option("why.gallery", "methods")
    trained = state.service().classifier.trained_heads
    what = (
        "The same head and target under several methods: each asks a question of its own, so they may differ"
        if mode == "methods"
        else f"The same class asked of every trained head ({', '.join(trained)}) under one method"
    )
    theme.heading(
        "Side by side",
        f"{what}. Each map has its own scale unless they share one; slopes and credits have different units, which no "
        "shared scale can mend. (Adebayo et al. 2018, Figure 1; the paper's Figure 3 for the heads.)",
    )
    with st.container(key="why-gallery-choices", horizontal=True, gap="medium", vertical_alignment="bottom"):
        mode = kept(
            st.segmented_control, "Compare", "why.gallery", "methods", MODES,
            options=list(MODES), format_func=MODES.get, required=True,
        )  # fmt: skip
        shared = kept(st.toggle, "One scale for all", "why.shared", False)
    if mode == "methods":
        names = kept(
            st.pills, "Methods", "why.methods", GALLERY_METHODS, options=list(METHODS),
            format_func=choices.method_label, selection_mode="multi", label_visibility="collapsed",
        )  # fmt: skip
        questions = [_like(question, name, question.head) for name in METHODS if name in (names or ())]
    else:
        questions = [_like(question, question.method, head) for head in trained]
    if questions:
        _compare(questions, shared)


def _like(question: Question, method: str, head: HeadName) -> Question:
    """The same question for another method or head, with everything else as it is chosen on the page."""
    if (method, head) == (question.method, question.head):
        return question
    row = METHODS[method]
    modules = allowed_layers(state.service().classifier, head)
    layer = question.layer if question.layer and question.layer.partition(":")[0] in modules else modules[-1]
    options = {option.name: state.option(f"why.{method}.{option.name}", option.default) for option in row.options}
    baseline = question.baseline or state.option("why.baseline", "black")
    return ask(method, head, question.target, layer, baseline, options)


def _compare(questions: list[Question], shared: bool) -> None:
    jobs = {question.key: explaining(question) for question in questions}
    cost = sum(question.cost for question in questions if state.recall(question.key) is None)
    quick = cost <= 2 * QUICK_COST * len(GALLERY_METHODS)
    known = background.answers(
        "why-gallery", jobs, "Maps side by side", ask="" if quick else f"Compare. {choices.cost_words(cost)}"
    )
    ends = state.option("why.ends", "99%")
    scales = {key: attribution_map.scale_of(cast(Attribution, found), ends) for key, found in known.items()}
    drawn = [question for question in questions if question.key in known]
    across = min(len(drawn), 3) if len(drawn) != 4 else 4
    for start in range(0, len(drawn), max(1, across)):
        for column, question in zip(st.columns(across, gap="medium"), drawn[start : start + across], strict=False):
            slot = f"why-{question.method}-{question.head}"
            with column:
                attribution_map.show(
                    known[question.key],
                    choices.in_words(question),
                    f"{slot}-figure",
                    scale=max(scales.values()) if shared else scales[question.key],
                    strength=state.option("why.strength", 60) / 100,
                    side=GALLERY_SIDE,
                )
                trust_badge.show(question, known[question.key], slot)
    if drawn:
        teach.note("gallery")
