"""The sweep on the page Why: every branch of every module off, one at a time."""

from __future__ import annotations

import streamlit as st

from app import theme
from app.figures import ablation
from app.jobs.ablation import sweep_job
from app.jobs.attribution import words_of
from app.state import network
from app.state.panel import Panel
from app.widgets import progress, teach
from app.widgets.fill_choice import fill_choice
from inception_model.analysis.ablation import Sweep
from inception_model.architecture.spec import BRANCHES, HeadName
from inception_model.inference.targets import Target


def show(panel: Panel, head: HeadName, target: Target) -> None:
    """Every branch of every module off, one at a time, on request."""
    modules = network.spec().module_names
    theme.heading(
        "Every branch switched off in turn",
        f"The change of the score of {words_of(target)} when one of the {len(modules) * len(BRANCHES)} branches is "
        "off and all others stay: what the network needs, not what it used; a head in front of a module does not "
        "notice. (Paper, Figures 2(b) and 3.)",
    )
    fill = fill_choice()
    found: Sweep | None = progress.answer(
        panel, "why-sweep", sweep_job(panel, fill), "Sweep", ask="Switch off each of the 36 branches"
    )
    if found is not None:
        trained = network.trained_heads()
        st.html(ablation.sweep_html(found, network.spec(), trained, target))
        st.html(f'<div class="scope-say">{ablation.sweep_in_words(found, target, head)}</div>')
        teach.note("sweep")
