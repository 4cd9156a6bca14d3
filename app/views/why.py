"""Why: what in the photo made a head score a class, how far to believe it, and which branches earned it."""

import streamlit as st

from app import theme
from app.components import (
    ablation_panel,
    beside,
    ledger_panel,
    network_line,
    photo_bar,
    report_button,
    why_choices,
    why_view,
)

photo_bar.strip("why-film")
network_line.show("why")
title = st.container()
left, right = st.columns([300, 896], gap="medium")
with left:
    question = why_choices.show()
if question is None:
    with title:
        theme.heading("What speaks for the answer", "Choose a trained head and a class that exists. (Paper, Figure 3.)")
else:
    with title:
        theme.heading(*why_view.title_and_sentence(question))
    with right:
        beside.why(question)
    beside.alone()
    why_view.gallery(question)
    ledger_panel.show(question)
    ablation_panel.show_sweep(question.head, question.target)
    report_button.show(question)
