"""The report on the current photo: made beside the page with the page's own settings, then offered as one file."""

from __future__ import annotations

import html
import threading
from pathlib import Path

import streamlit as st

from app import state, theme
from app.jobs import background
from app.jobs.attribution import Question
from app.jobs.background import Compute
from app.views.heads import probes as probe_view
from app.widgets.persistent_choice import kept
from inception_model.analysis.probes import Probes
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress
from inception_model.report import Findings, Settings, collect, render


def show(question: Question | None = None) -> None:
    """The button, how far the report is, and the download. `question`: the page Why's; else the report's defaults."""
    trained = state.service().classifier.trained_heads
    if not trained:
        return
    theme.heading(
        "Take it with you",
        "A report is one HTML file that needs no network: the heads, the maps with their checks, all nine modules, the "
        "credit ledger, every branch off, the costs, and the settings and versions that make it again. "
        "(Paper, sections 4 and 5.)",
    )
    chosen, probes = settings(question), _probes()
    findings: Findings | None = background.answer(
        f"report-{'look' if question is None else 'why'}",
        ("report", chosen, probes),
        collecting(chosen, probes),
        "Report",
        ask="Make a report",
    )
    if findings is not None:
        _offer(findings, state.current_photo())


def settings(question: Question | None) -> Settings:
    """What the page is about: its head, target and method, or the last head's own answer with the usual maps."""
    module, checkpoint = state.selected_module(), Path(state.settings()[0]).name
    if question is None:
        trained = state.service().classifier.trained_heads
        return Settings(head="main" if "main" in trained else trained[-1], module=module, checkpoint=checkpoint)
    return Settings(
        head=question.head,
        target=question.target,
        methods=(question.method,),
        layer=question.layer,
        baseline=question.baseline or state.option("why.baseline", "black"),
        options=question.options,
        module=module,
        steps=state.option("why.ledger.steps", 50),
        fill=state.option("ablation.fill", "zero"),
        checkpoint=checkpoint,
    )


def _probes() -> Probes | None:
    """The checkpoint's probes where there are good ones; the page Heads says what is wrong with others."""
    try:
        return probe_view.find()
    except CheckpointError:
        return None


def collecting(chosen: Settings, probes: Probes | None) -> Compute:
    """The calculation of everything that the report says about the current photo."""
    photo = state.current_photo()

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Findings:
        return collect(twin, photo, chosen, probes=probes, progress=progress, cancel=cancel)

    return compute


@st.fragment
def _offer(findings: Findings, photo: Photo) -> None:
    """The download, with or without the photo; the page is put together when it is asked for."""
    with st.container(key="report-offer", horizontal=True, gap="medium", vertical_alignment="center"):
        private = kept(st.toggle, "Without the photo and its name", "report.private", False)
        name = "report.html" if private else f"{Path(photo.name).stem}-report.html"
        st.download_button(
            "Download the report",
            data=lambda: render(findings, photo, with_image=not private).encode(),
            file_name=name,
            mime="text/html",
            on_click="ignore",
            key="report-download",
        )
        st.html(f'<span class="scope-mut">{html.escape(name)}</span>')
