"""Coming by a link or by the browser's history, and moving between pages."""

from __future__ import annotations

from typing import cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.state import links, network, selection, session

PAGES = ("look", "module", "heads", "why", "fool", "vote", "cost", "model")
"""Files in views/, in the order of the navigation; a page is its file, its title and its address.

The folder must not be called pages: Streamlit would run a file in it on its own, without main.py."""

GO_TO = "go_to"
"""Where the session keeps the page that is gone to."""


def restore_view() -> None:
    """Takes over what the address names. To be called in every whole run.

    At a session's first run and after Back or Forward the address decides, and what it leaves out is as if it had never
    been chosen. In all other runs the address follows. What a link says in vain stays in the address until then: the
    browser would make a step of its history of a correction that nobody asked for.
    """
    if not (back := links.by_history()) and restored():
        session.follow_view()
    else:
        session.put("restored", True)
        view = links.read(st.query_params.to_dict(), network.checkpoint(), session.named_photos())
        for name in links.NAMES - view.keys() if back else ():
            st.session_state.pop(f"scope.{name}", None)
        st.session_state.update({f"scope.{name}": value for name, value in view.items()})
        if back and selection.COST_MODULE in st.session_state:  # the page Cost's own widget leads the module otherwise
            selection.set_cost_module(selection.module())


def restored() -> bool:
    """Whether the session has taken over an address already."""
    return bool(session.get("restored", False))


def go_to(page: str) -> None:
    """From a callback: shows another page (`module`, `cost`, ...) on this very rerun."""
    session.put(GO_TO, page)


def leaves() -> bool:
    """Whether `go_to` was called and no whole run has followed it yet."""
    return session.get(GO_TO, None) is not None


def forget_parts() -> None:
    """Before another page takes this one's place: the parts of this one that run by themselves are gone.

    The browser goes on asking for them until it hears of the other page. Such a request carries this page's name; left
    to wait for the other page's run, it would lead the browser back here, to a page of which nothing is drawn.
    """
    context = get_script_run_ctx()
    if context is not None:
        context.fragment_storage.clear()


def take_destination() -> str | None:
    """The page asked for by `go_to`, once; None where Back or Forward has asked for another one since."""
    destination = session.get(GO_TO, None)
    session.put(GO_TO, None)
    return None if links.by_history() else cast("str | None", destination)
