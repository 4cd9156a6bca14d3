"""The sweep on the page Why: every branch of every module off, one at a time."""

from __future__ import annotations

import streamlit as st

from app import templates as markup
from app import theme
from app.charts import credits
from app.figures import ablation
from app.jobs.ablation import sweep_job
from app.jobs.attribution import words_of
from app.state import network
from app.state.panel import Panel
from app.widgets import chart, progress, teach
from app.widgets.fill_choice import fill_choice
from inception_model.analysis.ablation import Sweep
from inception_model.architecture.address import modules_seen
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
        _charts(found, target)
        st.html(markup.render("say.html", text=ablation.sweep_in_words(found, target, head)))
        teach.note("sweep")


def _charts(found: Sweep, target: Target) -> None:
    """A chart per trained head, all on one scale."""
    changes = {head: found.score_changes(head, target) for head in network.trained_heads()}
    every = [value for rows in changes.values() for row in rows for value in row]
    ends = min(0.0, *every), max(0.0, *every)
    st.html(markup.render("branch_legend.html"))
    for column, (head, rows) in zip(st.columns(len(changes), gap="medium"), changes.items(), strict=True):
        seen = modules_seen(network.spec(), head)
        with column:
            st.html(markup.render("sweep_title.html", head=head, low=min(map(min, rows)), high=max(map(max, rows))))
            figure = credits.sweep_figure(found.modules, rows, seen, ends)
            chart.show(figure, f"why-sweep-{head}", credits.sweep_words(head, found.modules, rows, seen))
