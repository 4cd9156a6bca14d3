"""Why: what in the photo made a head score a class, how far to believe it, and which branches earned it."""

import streamlit as st

from app import theme
from app.figures import network_line
from app.state.panel import panels
from app.views.why import choices, ledger_panel, map, patching_panel, sweep_panel
from app.widgets import filmstrip, halves, present, report_button

filmstrip.strip("why-film")
network_line.show("why")
shown = panels()
first = shown[0]
title = st.container()
with st.container(key="why-map-and-choices"):  # on narrow screens the map comes first
    left, right = st.columns([300, 896], gap="medium")
with left:
    question = choices.show(first)
if question is None:
    with title:
        theme.heading("What speaks for the answer", "Choose a trained head and a class that exists. (Paper, Figure 3.)")
else:
    with title:
        theme.heading(*map.title_and_sentence(shown, question))
    with right:
        map.show(shown, question)
    if not present.on():
        patching_panel.show(shown, question.head, question.target)
        halves.alone(shown)
        map.gallery(first, question)
        ledger_panel.show(first, question)
        sweep_panel.show(first, question.head, question.target)
        report_button.show(first, question)
