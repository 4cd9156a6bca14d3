"""How this photo's answer formed, in one sentence above everything else, and the way to the page that says why."""

from __future__ import annotations

import streamlit as st

from app.jobs.timeline import line_of
from app.state import network
from app.state.panel import Panel
from app.templates import render
from app.widgets import stories
from inception_model.analysis.formation import formation
from inception_model.analysis.probes import Probes
from inception_model.checkpoints.checkpoint import CheckpointError


def show(panel: Panel) -> None:
    """The sentence, and a button that opens the page Why on what it says; nothing where no head was trained."""
    if not network.trained_heads():
        return
    line = line_of(panel, None, _probes())
    found, last = formation(line), line.steps[-1]
    rival = None if found.earlier is None else found.earlier.answer.index
    with st.container(key=panel.widget_key("formation"), horizontal=True, vertical_alignment="center", gap="small"):
        st.html(render("look_formation.html", found=found, last=last.module), width="content")
        st.button(
            "See why", key=panel.widget_key("see-why"), type="tertiary",
            on_click=stories.explain_answer, args=(last.head, line.index, rival),
        )  # fmt: skip


def _probes() -> Probes | None:
    """None for a wrong file too: the page Heads says what is wrong with it."""
    try:
        return network.probes()
    except CheckpointError:
        return None
