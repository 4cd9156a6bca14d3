"""What somebody sees for whom the server has no place left: how many are in, where they wait, and that it goes on."""

from __future__ import annotations

import streamlit as st

from app.state import room
from app.templates import render
from inception_model.serving.turns import Place

LOOK_SECONDS = 2.0
"""How often a page at the door looks for a free place."""


def show(position: int) -> None:
    """All that the page says to somebody with that place at the door."""
    if position == room.TURNED_AWAY:
        _say(position)
    else:
        _wait()


@st.fragment(run_every=LOOK_SECONDS)
def _wait() -> None:
    """Looks for a free place again and again; then the page runs as a whole."""
    position = room.place_at_the_door()
    if not position:
        st.rerun()
    _say(position)


def _say(position: int) -> None:
    most, waits = room.ROOM.places, position != room.TURNED_AWAY
    people = "1 person is" if most == 1 else f"{most} people are"
    st.html(render("door.html", people=people, waits=waits, place=Place(position).sentence if waits else ""))
