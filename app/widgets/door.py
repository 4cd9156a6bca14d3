"""What somebody sees for whom the server has no place left: how many are in, where they wait, and that it goes on."""

from __future__ import annotations

import streamlit as st

from app.state import room
from app.templates import render
from inception_model.serving.turns import Place

LOOK_SECONDS = 2.0
"""How often a page at the door looks for a free place."""


@st.fragment(run_every=LOOK_SECONDS)
def show() -> None:
    """All that the page says; it looks for a free place again and again, and then runs as a whole."""
    position = room.place_at_the_door()
    if not position:
        st.rerun()
    most = room.ROOM.places
    people = "1 person is" if most == 1 else f"{most} people are"
    st.html(render("door.html", people=people, place=Place(position).sentence))
