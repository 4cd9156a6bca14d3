"""The map that the page Why is about, with its numbers and badge, and the gallery that compares it with others."""

from __future__ import annotations

from typing import cast

import streamlit as st

from app import theme
from app.figures import attribution_map, conservation, trust_badge
from app.jobs import background
from app.jobs.attribution import QUICK_COST, Question, ask, attribution_job, map_words, words_of
from app.state import network, options, session
from app.state.panel import Panel, Panels
from app.templates import render
from app.views.why import choices
from app.widgets import progress, teach
from app.widgets.halves import Title, halves
from app.widgets.persistent_choice import persistent_choice
from inception_model.architecture.spec import HeadName
from inception_model.attribution import METHODS, Attribution, allowed_layers
from inception_model.attribution.lrp.conservation import Conservation
from inception_model.attribution.options import PlaceOption
from inception_model.attribution.reading import PAPERS
from inception_model.drawing.numbers import percent

MODES = {"methods": "several methods", "heads": "the heads"}
GALLERY_SIDE = 380
PATIENCE = 1.5
"""Seconds that the page waits for a quick map before it shows a progress bar."""


def title_and_sentence(panels: Panels, question: Question) -> tuple[str, str]:
    """What one sees, with numbers and the method's paper."""
    target, found = words_of(question.target), [(panel.photo.name, _known(panel, question)) for panel in panels]
    known = found[0][1] if len(found) == 1 else "; ".join(f"{name}: {words}" for name, words in found)
    return f"What speaks for {target}", (
        f"Red speaks for {target} at {question.head} ({known}), blue against it, on one scale about zero. "
        f"({PAPERS[question.method]}.)"
    )


def _known(panel: Panel, question: Question) -> str:
    """The target's score on the photo, and its probability where it is one class."""
    trace = panel.trace()
    score = float(question.target.score(trace.logits(question.head))[0])
    if question.target.minus is not None:
        return f"{score:+.2f} logits between the two"
    return f"{score:+.2f} logits, {percent(float(trace.probabilities(question.head)[0, question.target.index]))}"


def answer(panel: Panel, question: Question) -> Attribution | None:
    """The map, or None with its progress on the page as long as there is none."""
    found: Attribution | None = progress.answer(
        panel,
        "why-map",
        attribution_job(panel, question),
        choices.method_label(question.method),
        patience=PATIENCE if question.quick else 0.3,
    )
    if found is None:
        background.stop(panel.widget_key("why-map-"))  # the checks of the map before: nobody looks at them now
    return found


def show(panels: Panels, question: Question) -> None:
    """The map that the page is about; for two photos the same question asked of both, with the sums of each."""
    if len(panels) == 1:
        _alone(panels[0], question)
    else:
        _beside(panels, question)
    teach.note("attribution")


def _alone(panel: Panel, question: Question) -> None:
    """The map, its numbers, and its badge."""
    found = answer(panel, question)
    if found is None:
        return
    shape = "tall" if panel.photo.size[1] > panel.photo.size[0] else "wide"
    with st.container(key=f"why-map-{shape}"):  # the map is as wide as it is drawn, words take the rest
        left, right = st.columns([560, 316], gap="medium")
    with left:
        _figure(panel, question, found, attribution_map.scale_of(found, session.option(options.WHY_ENDS)))
    with right, st.container(key="why-beside-map"):
        badge = trust_badge.beside(panel, question, found, "why-map")
        if badge.words:
            st.html(render("why_badge.html", state=badge.state, words=badge.words))
        theme.key_values(attribution_map.facts(found))
        colours()
    if found.conservation is not None:
        _sums(found.conservation)


def _sums(found: Conservation) -> None:
    """Where the score went: through which branches and channels, and what each layer absorbed."""
    with st.expander("The sum by module and by layer", key="why-conservation"):
        st.html(
            render(
                "caption.html",
                text="Relevance of each module's output, in logits: its four branches make the sum, and what the next "
                "row has less was absorbed in between. (Achtibat et al. 2023 for channels.)",
            )
        )
        st.html(conservation.modules_html(found))
        st.html(
            render(
                "caption.html",
                text="What each layer's bias and the rule's stabiliser absorbed, from the head down. With the pixels "
                "they make the score. (Bach et al. 2015, section 2.)",
            )
        )
        st.html(conservation.layers_html(found))


def _beside(panels: Panels, question: Question) -> None:
    """A map per photo, on one scale if they shall share it."""
    with st.container(key="why-beside-choices", horizontal=True, gap="medium", vertical_alignment="center"):
        shared = persistent_choice(st.toggle, "One scale for both", options.WHY_BESIDE_SHARED)
        colours()
    ends = session.option(options.WHY_ENDS)
    found = {panel.key: answer(panel, question) for panel in panels}
    scales = {key: attribution_map.scale_of(known, ends) for key, known in found.items() if known is not None}

    def part(panel: Panel, _: Title) -> None:
        attribution = found[panel.key]
        if attribution is None:
            st.html(render("quiet.html", text="The map is on its way."))
            return
        _figure(panel, question, attribution, max(scales.values()) if shared else scales[panel.key])
        trust_badge.beside(panel, question, attribution, "why-map")
        theme.key_values(attribution_map.facts(attribution))

    halves(panels, part)


def _figure(panel: Panel, question: Question, attribution: Attribution, scale: float) -> None:
    attribution_map.show(panel, attribution, choices.in_words(question), "why-map-figure", scale=scale)


def colours() -> None:
    """How the map is drawn: where its colours end."""
    with st.popover("Colours", key="why-colours"):
        persistent_choice(
            st.segmented_control, "Colours end at the", options.WHY_ENDS, options.ENDS,
            options=list(options.ENDS), format_func=options.ENDS.get, required=True,
        )  # fmt: skip


def gallery(panel: Panel, question: Question) -> None:
    """Several methods, or the heads under one method, side by side."""
    mode = session.option(options.WHY_GALLERY)
    trained = network.trained_heads()
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
        mode = persistent_choice(
            st.segmented_control, "Compare", options.WHY_GALLERY, MODES,
            options=list(MODES), format_func=MODES.get, required=True,
        )  # fmt: skip
        shared = persistent_choice(st.toggle, "One scale for all", options.WHY_SHARED)
    if mode == "methods":
        names = persistent_choice(
            st.pills, "Methods", options.WHY_METHODS, options=list(METHODS),
            format_func=choices.method_label, selection_mode="multi", label_visibility="collapsed",
        )  # fmt: skip
        questions = [_like(question, name, question.head) for name in METHODS if name in (names or ())]
    else:
        questions = [_like(question, question.method, head) for head in trained]
    if questions:
        _compare(panel, questions, shared)


def _like(question: Question, method: str, head: HeadName) -> Question:
    """The same question for another method or head, with everything else as it is chosen on the page."""
    if (method, head) == (question.method, question.head):
        return question
    row = METHODS[method]
    modules = allowed_layers(network.service().classifier, head)
    layer = question.layer if question.layer and question.layer.partition(":")[0] in modules else modules[-1]
    own = {option.name: session.option(options.of_method(method, option)) for option in row.options}
    for option in row.options:  # a place that the other head does not see: everything
        if isinstance(option, PlaceOption) and str(own[option.name]).partition(":")[0] not in modules:
            own[option.name] = option.default
    baseline = question.baseline or session.option(options.WHY_BASELINE)
    return ask(method, head, question.target, layer, baseline, own)


def _compare(panel: Panel, questions: list[Question], shared: bool) -> None:
    jobs = [attribution_job(panel, question) for question in questions]
    missing = [question for question in questions if panel.recall(question.key) is None]
    quick = sum(question.cost for question in missing) <= 2 * QUICK_COST * len(options.WHY_METHODS.default)
    ask_first = "" if quick else f"Compare. {map_words(missing)}"
    known = progress.answers(panel, "why-gallery", jobs, "Maps side by side", ask=ask_first)
    ends = session.option(options.WHY_ENDS)
    scales = {key: attribution_map.scale_of(cast(Attribution, found), ends) for key, found in known.items()}
    drawn = [question for question in questions if question.key in known]
    across = min(len(drawn), 3) if len(drawn) != 4 else 4
    for start in range(0, len(drawn), max(1, across)):
        for column, question in zip(st.columns(across, gap="medium"), drawn[start : start + across], strict=False):
            slot = f"why-{question.method}-{question.head}"
            with column:
                attribution_map.show(
                    panel,
                    known[question.key],
                    choices.in_words(question),
                    f"{slot}-figure",
                    scale=max(scales.values()) if shared else scales[question.key],
                    side=GALLERY_SIDE,
                )
                trust_badge.show(panel, question, known[question.key], slot)
    if drawn:
        teach.note("gallery")
