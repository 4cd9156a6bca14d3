"""How the network was trained: accuracy of the heads on held-out images, over the steps."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import theme
from app.charts import training as charts
from app.state import training
from app.templates import render
from app.widgets import chart, teach


def show() -> None:
    """The chart; where nothing was kept of the training one quiet line."""
    found = training.curves()
    theme.heading("How it was trained", f"{charts.training_words(found)}. (Paper, section 6.)" if found else "")
    if not found:
        text = "Nothing is kept of this network's training: neither its file nor a log beside it has it."
        st.html(render("quiet.html", text=text))
        return
    chart.later(
        partial(charts.training_figure, found), charts.TRAINING_HEIGHT, "model-training", charts.training_words(found)
    )
    teach.note("training-curve")
