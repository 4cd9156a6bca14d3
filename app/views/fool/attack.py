"""The smallest change of the photo that turns an answer, and its way through the network."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import theme
from app.charts import fooling as charts
from app.jobs.fooling import attack_job, mixture
from app.state import network, options
from app.state.panel import Panel
from app.templates import as_text, render
from app.views.fool import words
from app.widgets import chart, progress, teach
from app.widgets.persistent_choice import persistent_choice
from inception_model.analysis.probes import Probes
from inception_model.architecture.spec import HeadName
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.drawing.numbers import percent, short
from inception_model.robustness.adversarial import BOUNDS
from inception_model.robustness.asking import AttackQuestion, Fooled
from inception_model.robustness.pgd import NORMS

ANY = options.FOOL_TOWARDS.default
SMALLEST = options.FOOL_BOUND.default


def _towards(panel: Panel, head: HeadName) -> int | None:
    """The class that is to become the head's answer; None for any other one."""
    probabilities = panel.trace().probabilities(head)[0]
    ranking = probabilities.argsort(descending=True).tolist()

    def said(index: int | str) -> str:
        if isinstance(index, str):
            return "any other class"
        return f"{network.label(index)} · {percent(float(probabilities[index]))}"

    choices = [ANY, *ranking[1:]]
    chosen = persistent_choice(
        st.selectbox, "Make it say", options.FOOL_TOWARDS, choices, options=choices, format_func=said, width=300,
        help="Any class, in the order of the head's answer. Type to search by name.",
    )  # fmt: skip
    return None if isinstance(chosen, str) else chosen


def _question(panel: Panel) -> AttackQuestion:
    """What is asked for, chosen in one line."""
    heads = network.trained_heads()
    with st.container(key="fool-choices", horizontal=True, gap="medium", vertical_alignment="bottom"):
        chosen: str = persistent_choice(
            st.segmented_control, "Head", options.FOOL_HEAD.otherwise(heads[-1]), heads,
            options=list(heads), required=True,
        )  # fmt: skip
        head = next(head for head in heads if head == chosen)
        target = _towards(panel, head)
        norm = persistent_choice(
            st.segmented_control, "The change is bounded in", options.FOOL_NORM, NORMS,
            options=list(NORMS), format_func=words.NORM_WORDS.get, required=True,
        )  # fmt: skip
        bounds = (SMALLEST, *BOUNDS[norm])
        bound = persistent_choice(
            st.segmented_control, "By", options.FOOL_BOUND, bounds, options=list(bounds), required=True,
            format_func=lambda value: value if isinstance(value, str) else f"{value}/255",
            help="The smallest is found by bisection; inside a given bound the change goes as far as it can.",
        )  # fmt: skip
    return AttackQuestion(head, target, norm, None if isinstance(bound, str) else bound)


def _probes() -> Probes | None:
    try:
        return network.probes()
    except CheckpointError as error:
        st.caption(as_text(f"Only the heads are followed: {error}"))
        return None


@st.fragment
def show(panel: Panel) -> None:
    """A fragment: a choice runs this part alone again. On request, for it takes some seconds."""
    head = network.trained_heads()[-1]
    answer = mixture(panel, {}).top[head][0]
    theme.heading(
        "The smallest change that fools it",
        f"How little must change in the pixels until {short(answer.label)} is something else? Projected gradient "
        "descent looks for it on the photo as it is. (Madry et al. 2018, section 2.)",
    )
    question, probes = _question(panel), _probes()
    ask = "Find the smallest change" if question.bound is None else f"Change it within {question.bound:g}/255"
    found: Fooled | None = progress.answer(
        panel, "fool-attack", attack_job(panel, question, probes), "Gradient steps", ask=ask
    )
    if found is None:
        return
    st.html(render("say.html", text=words.attack_words(found)))
    st.html(words.pictures_html(found))
    teach.note("adversarial")
    first, second = (short(network.label(index)) for index in (found.depth.before, found.depth.after))
    theme.heading(
        "Where on its way the answer turns",
        f"The lead of {first} over {second} in logits after every module: of the photo (solid) and of the changed "
        f"photo (dashed), read by {'linear probes and by ' if found.depth.probed else ''}the heads (dots; hollow: "
        f"changed). {words.turn_words(found)}",
    )
    left, right = st.columns([6, 6], gap="medium")
    with left:
        chart.later(
            partial(charts.depth_figure, found.depth, network.spec().module_names, network.label),
            charts.DEPTH_HEIGHT, "fool-depth", charts.depth_words(found.depth, network.label), "depth",
        )  # fmt: skip
    with right:
        st.html(words.depth_html(found))
    teach.note("adversarial-depth")
