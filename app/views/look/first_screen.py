"""The first screen: photo, filmstrip and three heads; two of them under one filmstrip."""

from __future__ import annotations

import streamlit as st

from app.figures import head_cards
from app.state.panel import Panel, Panels
from app.widgets import filmstrip, teach
from app.widgets.halves import halves


def show(panels: Panels) -> None:
    """Everything above the contact sheet."""
    if len(panels) == 1:
        left, right = st.columns([300, 896], gap="medium")
        with left:
            filmstrip.show(panels[0])
        with right:
            head_cards.show(panels[0])
            teach.note("heads")
        return
    filmstrip.strip()
    halves(panels, lambda panel, _: _photo_and_heads(panel))
    teach.note("heads")
    teach.note("beside")
    filmstrip.upload()


def _photo_and_heads(panel: Panel) -> None:
    filmstrip.picture(panel)
    head_cards.show(panel)
