"""The credit ledger on the page Why: 5b's exact sum at once, all modules on request."""

from __future__ import annotations

import streamlit as st

from app import state, theme
from app.figures import ledger as ledger_view
from app.figures.ledger import signed
from app.jobs import background
from app.jobs.attribution import Question, keeping, split_of, words_of
from app.widgets import teach
from app.widgets.persistent_choice import kept
from inception_model.analysis.conductance import CreditLedger
from inception_model.architecture.address import modules_seen


def show(question: Question) -> None:
    """For the question's head and target: who earned the score."""
    target = words_of(question.target)
    _exact(question, target)
    modules = modules_seen(state.spec(), question.head)
    theme.heading(
        f"Credit of every branch for {target} at {question.head}",
        f"What each branch of each of the {len(modules)} modules that {question.head} sees adds on the way from the "
        "baseline to the photo: a module's four branches are all that passes through it, so every row has the same "
        "sum. (Conductance: Dhamdhere et al. 2018; the modules: Figure 3.)",
    )
    baseline = question.baseline or state.option("why.baseline", "black")
    left, _ = st.columns([300, 896], gap="medium")
    with left:
        steps = kept(st.slider, "Steps of the path", "why.ledger.steps", 50, min_value=10, max_value=200, step=10)
    ledger: CreditLedger | None = background.answer(
        "why-ledger",
        ("why", "ledger", question.head, question.target, baseline, steps),
        keeping(question.head, question.target, baseline, steps),
        "Credit ledger",
        ask=f"Make the ledger from {baseline} in {steps} steps",
    )
    if ledger is not None:
        st.html(ledger_view.ledger_html(ledger))
        st.html(f'<div class="scope-say">{ledger_view.in_words(ledger)}</div>')
        teach.note("ledger")


def _exact(question: Question, target: str) -> None:
    if question.head != "main":
        return
    split, last = split_of(question.target), state.spec().module_names[-1]
    theme.heading(
        f"The score of {target} as a sum",
        f"After {last} only an average and a linear layer follow, so its four branches and the bias make the score "
        f"of {signed(float(split.score[0]))} logits exactly; rounding leaves {abs(float(split.residual[0])):.0e}. "
        "(Paper, Table 1: avg pool and linear.)",
    )
    st.html(ledger_view.exact_html(split))
    teach.note("score-sum")
