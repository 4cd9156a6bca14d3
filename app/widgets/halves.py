"""Two photos beside each other: the two halves of a page, and what is said once about them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.state.panel import Panel, Panels
from app.templates import render

Title = DeltaGenerator | None
"""Where a heading's title goes (`theme.heading`): above both halves, or None where there is only one."""


def name(panels: Panels, panel: Panel) -> None:
    """The name of a panel's photo, above its half; nothing where there is only one."""
    if len(panels) > 1:
        st.html(render("halves_name.html", photo=panel.photo.name))


def halves(panels: Panels, draw: Callable[[Panel, Title], None]) -> None:
    """Draws the photo's part of a page; where two are compared once for each, side by side, below their names.

    Widgets inside take their keys from the panel. A heading's title stands once above both.
    """
    if len(panels) == 1:
        draw(panels[0], None)
        return
    title = st.empty()
    for column, panel in zip(st.columns(2, gap="medium"), panels, strict=True):
        with column:
            name(panels, panel)
            draw(panel, title)


def alone(panels: Panels) -> None:
    """Says that what follows on the page is about the first photo only."""
    if len(panels) > 1:
        st.html(render("halves_alone.html", photo=panels[0].photo.name))
