"""The linear probes of the chosen checkpoint: found beside its file, told in words, and as a table."""

from __future__ import annotations

import html

import streamlit as st

from app.charts.probes import accuracy_figure, accuracy_words
from app.state import network
from app.state.panel import Panel
from app.static import style
from app.templates import as_text
from app.widgets import chart
from inception_model.analysis.probes import Probes
from inception_model.analysis.timeline import ProbeStep, Timeline
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.drawing.numbers import percent, short

_TABLE_CSS = f"<style>\n{style('probes_table')}</style>"

_LEGEND_CSS = f"<style>\n{style('probes_legend')}</style>"


def found() -> Probes | None:
    """The chosen checkpoint's probes; a wrong file is told in one sentence on the page."""
    try:
        return network.probes()
    except CheckpointError as error:
        st.caption(as_text(f"Only the heads are shown: {error}"))
        return None


def legend_html(line: Timeline) -> str:
    """Which dot is what."""
    heads = "".join(f'<span><i style="background:var(--{step.head})"></i>{step.head}</span>' for step in line.steps)
    return (
        f'{_LEGEND_CSS}<div class="scope-leg probe-leg">{heads}'
        '<span><i class="hollow"></i>probe, trained after the network</span></div>'
    )


def in_words(line: Timeline, probes: Probes) -> str:
    """What the probes are, where the class comes first by probe, and how good they are; as HTML."""
    first, name = line.first_probe, f"<b>{html.escape(short(line.label))}</b>"
    if first is not None:
        where = f"By probe {name} first comes to rank 1 at {first.module} ({percent(first.probability)})"
    else:
        best = min(line.probes, key=lambda step: step.rank)
        where = f"By probe {name} never comes to rank 1; it is best at {best.module}, in place {best.rank}"
    shallow, deep = line.probes[0], line.probes[-1]
    return (
        f"{where}. A probe is a linear classifier on the average of each channel of a module, trained on "
        f"{probes.training:,} images after the network was finished. Of {probes.validation:,} validation images the "
        f"one at {shallow.module} gets {shallow.accuracy.top1:.1%} right, the one at {deep.module} "
        f"{deep.accuracy.top1:.1%}. "
        "(Alain and Bengio 2016.)"
    )


def table_html(line: Timeline) -> str:
    """A row per probe: its answer, the followed class's probability and rank, entropy, and the probe's accuracy."""
    columns = ("probe", "answer", html.escape(short(line.label)), "rank", "entropy", "top-1", "top-5")
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return (
        f'{_TABLE_CSS}<div class="probe-box"><table class="probe-table" aria-label="The probes in numbers">'
        f"<tr>{head}</tr>{''.join(map(_row, line.probes))}</table></div>"
    )


def _row(step: ProbeStep) -> str:
    cells = (
        f"{html.escape(short(step.answer.label))} {percent(step.answer.probability)}",
        percent(step.probability),
        str(step.rank),
        f"{step.entropy:.2f}",
        f"{step.accuracy.top1:.1%}",
        f"{step.accuracy.top5:.1%}",
    )
    drawn = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{"first" * (step.rank == 1)}"><th scope="row">{step.module}</th>{drawn}</tr>'


def show_table(panel: Panel, line: Timeline) -> None:
    """The table, folded away, with what its columns mean."""
    with st.expander("The probes in numbers"):
        words = accuracy_words(line.probes)
        chart.show(accuracy_figure(line.probes), panel.widget_key("heads-probes"), words, "probes")
        st.html(table_html(line))
        st.caption(
            "Top-1 and top-5: what each probe gets right on the validation images. Bold: the followed class is first."
        )
