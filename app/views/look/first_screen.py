"""The first screen: photo, filmstrip and three heads; two of them under one filmstrip."""

from __future__ import annotations

import streamlit as st

from app.figures import doubt, head_cards
from app.state.panel import Panel, Panels
from app.views.look import formation, story_choice
from app.widgets import filmstrip, teach
from app.widgets.halves import halves


def show(panels: Panels) -> None:
    """Everything above the contact sheet."""
    if len(panels) == 1:
        left, right = st.columns([300, 896], gap="medium")
        with left:
            filmstrip.show(panels[0])
        with right:
            formation.show(panels[0])
            doubt.show(panels[0])
            head_cards.show(panels[0])
            teach.note("heads")
            story_choice.show()
        return
    filmstrip.strip()
    halves(panels, lambda panel, _: _photo_and_heads(panel))
    teach.note("heads")
    teach.note("beside")
    story_choice.show()
    filmstrip.upload()


def presented(panels: Panels) -> None:
    """For a class: the sentence, the photo with its square, and what the heads say; of two photos side by side."""
    if len(panels) > 1:
        halves(panels, lambda panel, _: _presented_half(panel))
        return
    (panel,) = panels
    formation.show(panel)
    left, right = st.columns([380, 816], gap="medium")
    with left:
        filmstrip.picture(panel)
    with right:
        st.html(head_cards.cards_html(head_cards.head_views(panel)))


def _presented_half(panel: Panel) -> None:
    filmstrip.picture(panel)
    formation.show(panel)
    st.html(head_cards.cards_html(head_cards.head_views(panel)))


def _photo_and_heads(panel: Panel) -> None:
    filmstrip.picture(panel)
    formation.show(panel)
    doubt.show(panel)
    head_cards.show(panel)
