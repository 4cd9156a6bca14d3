"""Heads: aux1, aux2 and main side by side on one photo, as a time line through the depth of the network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from app import theme
from app.charts import timeline as timeline_charts
from app.figures import doubt, head_cards, network_line
from app.jobs.attribution import Question, ask
from app.jobs.timeline import line_of
from app.state import network, options, session
from app.state.panel import Panel, Panels, panels
from app.templates import render
from app.views.heads import auxiliary, maps
from app.views.heads import probes as probe_view
from app.views.heads import timeline as timeline_view
from app.widgets import chart, filmstrip, present, teach
from app.widgets.halves import Title, halves
from app.widgets.persistent_choice import persistent_choice
from inception_model.analysis.probes import Probes
from inception_model.analysis.timeline import Timeline
from inception_model.drawing.numbers import percent, short
from inception_model.inference.targets import Target

PATIENCE = 4.0
"""Seconds that the page waits for the maps before it shows a progress bar."""


def followed(panel: Panel) -> int | None:
    """The class that the line follows: None for the deepest trained head's answer, or one that is picked by name."""
    head = network.trained_heads()[-1]
    probabilities = panel.trace().probabilities(head)[0]
    ranking = probabilities.argsort(descending=True).tolist()
    auto = f"{head}'s answer: {short(network.label(ranking[0]))}"

    def words(index: int | str) -> str:
        return auto if isinstance(index, str) else f"{network.label(index)} · {percent(float(probabilities[index]))}"

    choices = [options.HEADS_CLASS.default, *ranking]
    chosen = persistent_choice(
        st.selectbox, "Follow", options.HEADS_CLASS, choices, options=choices, format_func=words, width=420,
        help="Any class, in the order of the last head's answer. Type to search by name.",
    )  # fmt: skip
    return None if isinstance(chosen, str) else chosen


def show_answers(panel: Panel, line: Timeline) -> None:
    """The cards, and the story in words."""
    doubt.show(panel)
    st.html(head_cards.cards_html(head_cards.head_views(panel), timeline_view.followed_html(line)))
    st.html(render("say.html", text=timeline_view.in_words(line)))


def show_charts(panel: Panel, line: Timeline, probes: Probes | None, above: Title) -> None:
    """Probability, rank, entropy and margin over the depth, by the heads and, where there are any, by probes."""
    steps = line.steps
    theme.heading(
        "How the answer forms",
        f"From left to right the depth of the network, {len(network.spec().module_names)} modules; a dot where a "
        f"trained head reads it. {short(line.label)} goes from {percent(steps[0].probability)} after "
        f"{steps[0].module} to {percent(steps[-1].probability)} after {steps[-1].module}. "
        "(Paper, section 5 and Figure 3.)"
        if len(steps) > 1
        else f"Only {steps[0].head} was trained in this checkpoint, so there is one reading, after {steps[0].module}. "
        "(Paper, section 5 and Figure 3.)",
        above,
    )
    if probes is not None:
        st.html(probe_view.legend_html(line))
    chart.later(
        partial(timeline_charts.timeline_figure, line, network.spec().module_names),
        timeline_charts.HEIGHT,
        panel.widget_key("heads-charts"),
        timeline_charts.timeline_words(line),
        "time-line",
    )
    if probes is not None:
        st.html(render("say.html", text=probe_view.in_words(line, probes)))
        probe_view.show_table(panel, line)


def show_divergence(panel: Panel, line: Timeline, above: Title) -> None:
    """How far apart every pair of heads is."""
    if not line.divergences:
        return
    widest = max(line.divergences, key=lambda pair: pair.nats)
    theme.heading(
        "How far apart they are",
        f"Jensen-Shannon divergence of two heads' probabilities over all {line.classes} classes, in nats: 0 for the "
        f"same probabilities, ln 2 = 0.69 for no class in common. Widest: {widest.first} and {widest.second}. "
        "(Lin 1991.)",
        above,
    )
    chart.later(
        partial(timeline_charts.divergence_figure, line.divergences),
        timeline_charts.divergence_height(line.divergences),
        panel.widget_key("heads-apart"),
        timeline_charts.divergence_words(line.divergences),
        "divergences",
    )


def questions(panel: Panel, line: Timeline, subject: str) -> list[Question]:
    """GradCAM at the module on which each trained head hangs; the same maps as on the page Why."""
    labels, found = network.checkpoint().labels, []
    for step in line.steps:
        index = step.answer.index if subject == "own" else line.index
        target = Target.parse(str(index), labels, panel.trace().logits(step.head)[0])
        found.append(ask("gradcam", step.head, target, step.module, "black"))
    return found


def show_maps(shown: Panels, line: Callable[[Panel], Timeline]) -> None:
    """One map per head; `line`: a panel's time line."""
    where = ", ".join(f"{step.head} at {step.module}" for step in line(shown[0]).steps)
    theme.heading(
        "Where each head looks",
        f"GradCAM of {where}: red speaks for the class, blue against it, in logits per position. A map of an early "
        "module is finer and sees less. (Selvaraju et al. 2016, section 3.)",
    )
    with st.container(key="heads-maps", horizontal=True, gap="medium", vertical_alignment="bottom"):
        subject = persistent_choice(
            st.segmented_control, "Class", options.HEADS_SUBJECT, options.SUBJECTS,
            options=list(options.SUBJECTS), format_func=options.SUBJECTS.get, required=True, wrap=True,
        )  # fmt: skip
        shared = persistent_choice(st.toggle, "One scale for all", options.HEADS_SHARED)
    maps.show(shown, lambda panel: questions(panel, line(panel), subject), shared, PATIENCE)


def introduction() -> tuple[str, str]:
    """The page's title, and how often the network answers."""
    depth = "What a head says is what can be read off at that depth. (Paper, section 5, Figure 3.)"
    if not network.spec().aux:
        return "One head", "This network has no auxiliary classifiers: it answers once, behind the last module."
    if len(network.spec().aux) == 1:
        return "Two heads, two depths", f"An auxiliary classifier hangs on a module in the middle. {depth}"
    return "Three heads, three depths", (
        "The network answers three times on its way: two auxiliary classifiers hang on the modules in the middle, the "
        f"main one on the last. {depth}"
    )


def main() -> None:
    """The page."""
    filmstrip.strip("heads-film")
    network_line.show("heads")
    if not present.on():
        theme.heading(*introduction())
    shown = panels()
    first = shown[0]
    if not network.trained_heads():
        st.html(head_cards.cards_html(head_cards.head_views(first)))
        return
    probes = probe_view.found()
    chosen = session.option(options.HEADS_CLASS)
    kept = chosen if isinstance(chosen, int) and chosen < network.spec().classes else None
    index = kept if present.on() else followed(first)
    if index is None and len(shown) > 1:
        index = line_of(first, None, probes).index  # two photos are compared by one class: the first one's answer

    def line(panel: Panel) -> Timeline:
        return line_of(panel, index, probes)

    if not present.on():
        halves(shown, lambda panel, _: show_answers(panel, line(panel)))
    teach.note("heads")
    halves(shown, lambda panel, above: show_charts(panel, line(panel), probes, above))
    if present.on():
        return
    teach.note("timeline")
    if probes is not None:
        teach.note("probes")
    halves(shown, lambda panel, above: show_divergence(panel, line(panel), above))
    if line(first).divergences:
        teach.note("divergence")
    show_maps(shown, line)
    teach.note("head-maps")
    auxiliary.show()


main()
