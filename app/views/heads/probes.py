"""The linear probes of the chosen checkpoint: found beside its file, told in words, and as a table."""

from __future__ import annotations

from functools import partial

import streamlit as st
from markupsafe import Markup

from app.charts.probes import HEIGHT, accuracy_figure, accuracy_words
from app.state import network
from app.state.panel import Panel
from app.templates import as_text, render
from app.widgets import chart
from inception_model.analysis.probes import Probes
from inception_model.analysis.timeline import Timeline
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.drawing.numbers import short


def found() -> Probes | None:
    """The chosen checkpoint's probes; a wrong file is told in one sentence on the page."""
    try:
        return network.probes()
    except CheckpointError as error:
        st.caption(as_text(f"Only the heads are shown: {error}"))
        return None


def legend_html(line: Timeline) -> Markup:
    """Which dot is what."""
    return render("heads_probe_legend.html", heads=[step.head for step in line.steps])


def in_words(line: Timeline, probes: Probes) -> Markup:
    """What the probes are, where the class comes first by probe, and how good they are."""
    best = min(line.probes, key=lambda step: step.rank)
    return render("heads_probe_words.html", line=line, probes=probes, best=best)


def table_html(line: Timeline) -> Markup:
    """A row per probe: its answer, the followed class's probability and rank, entropy, and the probe's accuracy."""
    columns = ("probe", "answer", short(line.label), "rank", "entropy", "top-1", "top-5")
    return render("heads_probe_table.html", line=line, columns=columns)


def show_table(panel: Panel, line: Timeline) -> None:
    """The table, folded away, with what its columns mean."""
    with st.expander("The probes in numbers"):
        words = accuracy_words(line.probes)
        make = partial(accuracy_figure, line.probes)
        chart.later(make, HEIGHT, panel.widget_key("heads-probes"), words, "probes")
        st.html(table_html(line))
        st.caption(
            "Top-1 and top-5: what each probe gets right on the validation images. Bold: the followed class is first."
        )
