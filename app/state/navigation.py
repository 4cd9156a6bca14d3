"""Coming by a link, and moving between pages."""

from __future__ import annotations

from typing import cast

import streamlit as st

from app.state import links, network, session


def restore_view() -> None:
    """At a session's first run: takes over what the address names. To be called in every whole run."""
    if not session.get("restored", False):
        session.put("restored", True)
        view = links.read(st.query_params.to_dict(), network.checkpoint(), session.named_photos())
        st.session_state.update({f"scope.{name}": value for name, value in view.items()})
    session.follow_view()


def go_to(page: str) -> None:
    """From a callback: shows another page (`module`, `cost`, ...) on this very rerun."""
    session.put("go_to", page)


def leaves() -> bool:
    """Whether `go_to` was called and no whole run has followed it yet."""
    return session.get("go_to", None) is not None


def take_destination() -> str | None:
    """The page asked for by `go_to`, once."""
    destination = session.get("go_to", None)
    session.put("go_to", None)
    return cast("str | None", destination)
