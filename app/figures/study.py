"""A study on a page: what was asked, what came out in words, a chart and a table; nothing where there is no file."""

from __future__ import annotations

from functools import partial

import streamlit as st
from markupsafe import Markup

from app import theme
from app.charts import studies as charts
from app.state import studies
from app.templates import as_text, render
from app.widgets import chart
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.drawing.numbers import amount, signed
from inception_model.studies.results import LEVEL, Mean, StudyResults, Summary


def points(found: Mean) -> str:
    """A difference of shares in percentage points, with its interval."""
    if found.interval is None:
        return signed(100 * found.value, 1)
    low, high = found.interval
    return f"{signed(100 * found.value, 1)} ({signed(100 * low, 1)} to {signed(100 * high, 1)})"


def verdict(row: Summary, base: str) -> str:
    """How a network does beside the base, and whether that can be told from chance."""
    assert row.difference is not None
    apart = row.difference
    if apart.interval is None:
        sure = "one seed, so nobody knows how much of it is chance"
    elif apart.interval[0] <= 0 <= apart.interval[1]:
        sure = "the interval contains 0: these runs can't tell them apart"
    else:
        sure = "the interval does not contain 0"
    name = row.variant[0].upper() + row.variant[1:]
    return f"{name} against {base}: {points(apart)} points of top-1; {sure}."


def gradients(row: Summary, base: str) -> str:
    """How many times larger its gradients are than the base's."""
    each = []
    for module, ratio in row.gradients.items():
        interval = "" if ratio.interval is None else f" ({ratio.interval[0]:.2f} to {ratio.interval[1]:.2f})"
        each.append(f"{ratio.value:.2f}{interval} times as large at {module}")
    return f"Over training its gradient is {' and '.join(each)} as with {base}." if each else ""


def table_html(found: StudyResults) -> Markup:
    """A row per network."""
    header = ["network", "parameters", "multiply-adds", "top-1", "top-5", "points against base", "steps", "runs"]
    rows = [
        {
            "name": row.variant,
            "cells": (
                amount(row.cost.params), amount(row.cost.macs), charts.between(row.top1), charts.between(row.top5),
                "base" if row.difference is None else points(row.difference), f"{row.steps:,}", str(row.top1.count),
            ),
        }
        for row in found.summaries()
    ]  # fmt: skip
    return render("study_table.html", header=header, rows=rows, label=f"Study {found.study}")


def show(study: str, title: str, asked: str, *, told: str | None = None) -> None:
    """The section, if there is a file. `asked`: what the study is about, in a sentence. `told`: the network whose
    result is said in words (default: every one beside the base)."""
    try:
        found = studies.found(study)
    except CheckpointError as error:
        theme.heading(title, asked)
        st.caption(as_text(f"Nothing is shown: {error}."))
        return
    if found is None:
        return
    rows = [row for row in found.summaries() if row.difference is not None and told in (None, row.variant)]
    theme.heading(title, asked)
    said = " ".join(f"{verdict(row, found.base)} {gradients(row, found.base)}".strip() for row in rows)
    st.html(render("say.html", text=said))
    key = f"study-{study}"
    chart.later(partial(charts.accuracy_figure, found), charts.HEIGHT, key, charts.accuracy_words(found))
    if found.runs[0].gradients:
        make, high = partial(charts.gradient_figure, found), charts.gradient_height(found)
        chart.later(make, high, f"{key}-gradients", charts.gradient_words(found))
    st.html(table_html(found))
    brackets = (
        f" In brackets: {LEVEL:.0%} intervals over the seeds (Student's t)." if rows and rows[0].top1.count > 1 else ""
    )
    st.caption(as_text(f"{found.described}{brackets} To measure again: inceptionscope study {study} DATA --out FILE"))
