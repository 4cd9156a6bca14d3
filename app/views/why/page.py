"""Why: what in the photo made a head score a class, how far to believe it, and which branches earned it."""

import streamlit as st

from app import theme
from app.figures import comparison, network_line
from app.views.module import ablation_panel
from app.views.why import choices, ledger_panel, map
from app.widgets import filmstrip, report_button

filmstrip.strip("why-film")
network_line.show("why")
title = st.container()
left, right = st.columns([300, 896], gap="medium")
with left:
    question = choices.show()
if question is None:
    with title:
        theme.heading("What speaks for the answer", "Choose a trained head and a class that exists. (Paper, Figure 3.)")
else:
    with title:
        theme.heading(*map.title_and_sentence(question))
    with right:
        comparison.why(question)
    comparison.alone()
    map.gallery(question)
    ledger_panel.show(question)
    ablation_panel.show_sweep(question.head, question.target)
    report_button.show(question)
