"""The credit ledger on the page Why: 5b's exact sum at once, all modules on request."""

from __future__ import annotations

import streamlit as st

from app import theme
from app.charts.credits import ledger_figure, ledger_words
from app.figures import ledger as ledger_view
from app.jobs.attribution import Question, words_of
from app.jobs.conductance import chosen_cut, conductance_job, split_of
from app.state import network, options, session
from app.state.panel import Panel
from app.templates import render
from app.widgets import chart, progress, teach
from app.widgets.persistent_choice import persistent_choice
from inception_model.analysis.conductance import CreditLedger
from inception_model.architecture.address import modules_seen
from inception_model.drawing.numbers import signed


def show(panel: Panel, question: Question) -> None:
    """For the question's head and target: who earned the score."""
    target = words_of(question.target)
    _exact(panel, question, target)
    modules = modules_seen(network.spec(), question.head)
    theme.heading(
        f"Credit of every branch for {target} at {question.head}",
        f"What each branch of each of the {len(modules)} modules that {question.head} sees adds on the way from the "
        "baseline to the photo: a module's four branches are all that passes through it, so every row has the same "
        "sum. (Conductance: Dhamdhere et al. 2018; the modules: Figure 3.)",
    )
    baseline = question.baseline or session.option(options.WHY_BASELINE)
    for column, draw in zip(st.columns(3, gap="medium"), (_steps, _error, _limit), strict=True):
        with column:
            draw()
    cut = chosen_cut()
    ledger: CreditLedger | None = progress.answer(
        panel,
        "why-ledger",
        conductance_job(panel, question.head, question.target, baseline, cut),
        "Credit ledger",
        ask=f"Make the ledger from {baseline} in {cut.steps} steps or more",
    )
    if ledger is not None:
        chart.show(ledger_figure(ledger), "why-ledger-chart", ledger_words(ledger), "credit-ledger")
        st.html(ledger_view.ledger_html(ledger))
        st.html(render("say.html", text=ledger_view.in_words(ledger)))
        teach.note("ledger")


def _steps() -> None:
    persistent_choice(st.slider, "Steps of the path", options.WHY_LEDGER_STEPS, min_value=10, max_value=200, step=10)


def _error() -> None:
    persistent_choice(
        st.number_input, "Residual of every row below, %", options.WHY_LEDGER_ERROR, min_value=0.1, max_value=50.0,
        step=0.5, help="Steps are halved where a row misses most, until no row misses more than this.",
    )  # fmt: skip


def _limit() -> None:
    persistent_choice(
        st.number_input, "With at most so many gradients", options.WHY_LEDGER_LIMIT, min_value=0, max_value=2000,
        step=100, help="The limit on that work; 0: the steps stay as they are.",
    )  # fmt: skip


def _exact(panel: Panel, question: Question, target: str) -> None:
    if question.head != "main":
        return
    split, last = split_of(panel, question.target), network.spec().module_names[-1]
    theme.heading(
        f"The score of {target} as a sum",
        f"After {last} only an average and a linear layer follow, so its four branches and the bias make the score "
        f"of {signed(float(split.score[0]))} logits exactly; rounding leaves {abs(float(split.residual[0])):.0e}. "
        "(Paper, Table 1: avg pool and linear.)",
    )
    st.html(ledger_view.exact_html(split))
    teach.note("score-sum")
