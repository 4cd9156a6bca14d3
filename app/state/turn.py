"""How a page waits for its visitor's turn: the place in line is shown, and whoever leaves gives it up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator
from typing import TypedDict

import streamlit as st

from app.state import visitors
from inception_model.serving.turns import Place


class Waiting(TypedDict):
    """What `look`, `share` and `run` of a service are told about whoever waits."""

    user: Hashable
    poll: Callable[[], object]
    line: Callable[[Place | None], object]


@contextlib.contextmanager
def awaited() -> Iterator[Waiting]:
    """For a run of the script that waits: "You are third in line" stands on the page until the turn has come."""
    with contextlib.ExitStack() as shown:

        def tell(place: Place | None) -> None:
            shown.close()
            if place is not None:
                shown.enter_context(st.spinner(place.sentence))

        yield Waiting(user=visitors.visitor(), poll=visitors.give_way, line=tell)
