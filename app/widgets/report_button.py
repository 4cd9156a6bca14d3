"""The report on the current photo: made beside the page with the page's own settings, then offered as one file."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import theme
from app.jobs.attribution import Question
from app.jobs.report import report_job
from app.state import known, network, options, selection, session
from app.state.panel import Panel
from app.templates import render as markup
from app.widgets import progress
from app.widgets.persistent_choice import persistent_choice
from inception_model.analysis.probes import Probes
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.images.decode import Photo
from inception_model.report import Findings, Settings, render


def show(panel: Panel, question: Question | None = None) -> None:
    """The button, how far the report is, and the download. `question`: the page Why's; else the report's defaults."""
    if not network.trained_heads():
        return
    theme.heading(
        "Take it with you",
        "A report is one HTML file that needs no network: the heads, the maps with their checks, all nine modules, the "
        "credit ledger, every branch off, the costs, and the settings and versions that make it again. "
        "(Paper, sections 4 and 5.)",
    )
    findings: Findings | None = progress.answer(
        panel,
        f"report-{'look' if question is None else 'why'}",
        report_job(panel, settings(question), _probes(), known.usable()),
        "Report",
        ask="Make a report",
    )
    if findings is not None:
        _offer(findings, panel.photo)


def settings(question: Question | None) -> Settings:
    """What the page is about: its head, target and method, or the last head's own answer with the usual maps."""
    module, checkpoint = selection.module(), Path(network.settings()[0]).name
    if question is None:
        trained = network.trained_heads()
        head = "main" if "main" in trained else trained[-1]
        return Settings(head=head, module=module, checkpoint=checkpoint, raw=network.raw())
    return Settings(
        head=question.head,
        target=question.target,
        methods=(question.method,),
        layer=question.layer,
        baseline=question.baseline or session.option(options.WHY_BASELINE),
        options=question.options,
        module=module,
        steps=session.option(options.WHY_LEDGER_STEPS),
        error=session.option(options.WHY_LEDGER_ERROR),
        limit=session.option(options.WHY_LEDGER_LIMIT),
        fill=session.option(options.ABLATION_FILL),
        checkpoint=checkpoint,
        raw=network.raw(),
    )


def _probes() -> Probes | None:
    """The checkpoint's probes where there are good ones; the page Heads says what is wrong with others."""
    try:
        return network.probes()
    except CheckpointError:
        return None


@st.fragment
def _offer(findings: Findings, photo: Photo) -> None:
    """The download, with or without the photo; the page is put together when it is asked for."""
    with st.container(key="report-offer", horizontal=True, gap="medium", vertical_alignment="center"):
        private = persistent_choice(st.toggle, "Without the photo and its name", options.REPORT_PRIVATE)
        name = "report.html" if private else f"{Path(photo.name).stem}-report.html"
        st.download_button(
            "Download the report",
            data=lambda: render(findings, photo, with_image=not private).encode(),
            file_name=name,
            mime="text/html",
            on_click="ignore",
            key="report-download",
        )
        st.html(markup("quiet.html", text=name))
