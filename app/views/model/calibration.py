"""Whether the heads are as right as they are sure, before and after their temperatures."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import theme
from app.charts import training as charts
from app.state import network
from app.templates import render
from app.widgets import chart, teach
from inception_model.checkpoints.checkpoint import Checkpoint

COMMAND = "inceptionscope calibrate DATA --checkpoint FILE"


def show(checkpoint: Checkpoint) -> None:
    """Reliability diagrams and a table; without temperatures one quiet line that says how to fit them."""
    theme.heading(
        "Is it as right as it is sure?",
        "Of the answers that a head gives with 70%, 70% should be right: on the dashed line they are, below it the "
        "head is too sure. Dotted as trained, solid at the head's temperature. (Guo et al. 2017.)",
    )
    found = checkpoint.calibration
    if found is None:
        text = (
            "This file carries no temperatures, so every probability is plain softmax, and nothing says how far it "
            f"can be believed. {COMMAND} fits them on held-out training images and measures on validation images."
        )
        st.html(render("quiet.html", text=text))
        return
    st.html(render("say.html", text=charts.calibration_words(found)))
    for column, (head, each) in zip(st.columns(len(found.heads), gap="medium"), found.heads.items(), strict=True):
        with column:
            st.html(render("chart_title.html", head=head, text=f"temperature {each.temperature:.3f}"))
            chart.later(
                partial(charts.reliability_figure, head, each),
                charts.RELIABILITY_HEIGHT,
                f"model-reliability-{head}",
                charts.reliability_words(head, each),
            )
    st.html(render("model_calibration.html", heads=found.heads, raw=network.raw()))
    teach.note("calibration")
