"""Heads: aux1, aux2 and main side by side on one photo, as a time line through the depth of the network."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import state, theme
from app.figures import comparison, head_cards, network_line
from app.figures.head_cards import percent, short
from app.jobs.attribution import Question, ask
from app.views.heads import probes as probe_view
from app.views.heads import timeline as timeline_view
from app.widgets import filmstrip, teach
from app.widgets.inline_svg import draw
from app.widgets.persistent_choice import kept
from inception_model.analysis.probes import Probes
from inception_model.analysis.timeline import Timeline, timeline
from inception_model.inference.targets import Target

SUBJECTS = {"own": "each head's own answer", "followed": "the followed class"}
PATIENCE = 4.0
"""Seconds that the page waits for the maps before it shows a progress bar."""


AUTO = "auto"


def followed() -> int | None:
    """The class that the line follows: None for the deepest trained head's answer, or one that is picked by name."""
    head = state.service().classifier.trained_heads[-1]
    probabilities = state.trace().probabilities(head)[0]
    ranking = probabilities.argsort(descending=True).tolist()
    auto = f"{head}'s answer: {short(state.checkpoint().label(ranking[0]).words)}"

    def words(index: int | str) -> str:
        return (
            auto
            if isinstance(index, str)
            else f"{state.checkpoint().label(index).words} · {percent(probabilities[index])}"
        )

    choices = [AUTO, *ranking]
    chosen: int | str = kept(
        st.selectbox, "Follow", "heads.class", AUTO, choices, options=choices, format_func=words, width=420,
        help="Any class, in the order of the last head's answer. Type to search by name.",
    )  # fmt: skip
    return None if isinstance(chosen, str) else chosen


def line_of(index: int | None, probes: Probes | None) -> Timeline:
    """The time line of the current photo."""
    return state.remember(
        ("heads", "line", index, probes),
        lambda: timeline(state.service().classifier, state.trace(), index, probes=probes),
    )


def show_answers(line: Timeline) -> None:
    """The cards, and the story in words."""
    st.html(head_cards.cards_html(head_cards.head_views(), timeline_view.followed_html(line)))
    st.html(f'<div class="scope-say">{timeline_view.in_words(line)}</div>')


def show_charts(line: Timeline, probes: Probes | None) -> None:
    """Probability, rank, entropy and margin over the depth, by the heads and, where there are any, by probes."""
    steps = line.steps
    theme.heading(
        "How the answer forms",
        f"From left to right the depth of the network, {len(state.spec().module_names)} modules; a dot where a trained "
        f"head reads it. {short(line.label)} goes from {percent(steps[0].probability)} after {steps[0].module} to "
        f"{percent(steps[-1].probability)} after {steps[-1].module}. (Paper, section 5 and Figure 3.)"
        if len(steps) > 1
        else f"Only {steps[0].head} was trained in this checkpoint, so there is one reading, after {steps[0].module}. "
        "(Paper, section 5 and Figure 3.)",
    )
    if probes is not None:
        st.html(probe_view.legend_html(line))
    draw(timeline_view.charts_html(line, state.spec().module_names), "heads-charts")
    if probes is not None:
        st.html(f'<div class="scope-say">{probe_view.in_words(line, probes)}</div>')
        probe_view.show_table(line)


def show_divergence(line: Timeline) -> None:
    """How far apart every pair of heads is."""
    if not line.divergences:
        return
    widest = max(line.divergences, key=lambda pair: pair.nats)
    theme.heading(
        "How far apart they are",
        f"Jensen-Shannon divergence of two heads' probabilities over all {line.classes} classes, in nats: 0 for the "
        f"same probabilities, ln 2 = 0.69 for no class in common. Widest: {widest.first} and {widest.second}. "
        "(Lin 1991.)",
    )
    draw(timeline_view.divergence_html(line.divergences), "heads-apart")


def questions(line: Timeline, subject: str) -> list[Question]:
    """GradCAM at the module on which each trained head hangs; the same maps as on the page Why."""
    labels, found = state.checkpoint().labels, []
    for step in line.steps:
        index = step.answer.index if subject == "own" else line.index
        target = Target.parse(str(index), labels, state.trace().logits(step.head)[0])
        found.append(ask("gradcam", step.head, target, step.module, "black"))
    return found


def show_maps(line: Callable[[], Timeline]) -> None:
    """One map per head; `line` is that of the photo that is looked at."""
    where = ", ".join(f"{step.head} at {step.module}" for step in line().steps)
    theme.heading(
        "Where each head looks",
        f"GradCAM of {where}: red speaks for the class, blue against it, in logits per position. A map of an early "
        "module is finer and sees less. (Selvaraju et al. 2016, section 3.)",
    )
    with st.container(key="heads-maps", horizontal=True, gap="medium", vertical_alignment="bottom"):
        subject = kept(
            st.segmented_control, "Class", "heads.subject", "own", SUBJECTS,
            options=list(SUBJECTS), format_func=SUBJECTS.get, required=True, wrap=True,
        )  # fmt: skip
        shared = kept(st.toggle, "One scale for all", "heads.shared", False)
    comparison.maps(lambda: questions(line(), subject), shared, PATIENCE)


def main() -> None:
    """The page."""
    filmstrip.strip("heads-film")
    network_line.show("heads")
    theme.heading(
        "Three heads, three depths",
        "The network answers three times on its way: two auxiliary classifiers hang on the modules in the middle, the "
        "main one on the last. What a head says is what can be read off at that depth. (Paper, section 5, Figure 3.)",
    )
    if not state.service().classifier.trained_heads:
        st.html(head_cards.cards_html(head_cards.head_views()))
        return
    probes = probe_view.found()
    index = followed()
    if index is None and state.beside_photo() is not None:
        index = line_of(None, probes).index  # two photos are compared by one class: the first one's answer

    def line() -> Timeline:
        return line_of(index, probes)

    comparison.halves(lambda: show_answers(line()))
    teach.note("heads")
    comparison.halves(lambda: show_charts(line(), probes))
    teach.note("timeline")
    if probes is not None:
        teach.note("probes")
    comparison.halves(lambda: show_divergence(line()))
    if line().divergences:
        teach.note("divergence")
    show_maps(line)
    teach.note("head-maps")


main()
