"""Who looks at the app: a visitor is one page in one browser, and is here as long as it is connected."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


@dataclass(eq=False)
class Guest:
    """Somebody who asks without a page, and is here until `here` is set to False."""

    here: bool = True


def visitor() -> str | None:
    """Whose run of the script this thread is; None outside of any."""
    context = get_script_run_ctx(suppress_warning=True)
    return None if context is None else context.session_id


def is_here(someone: Hashable) -> bool:
    """Whether the visitor's page is still connected. Nobody (None), who stands for the server itself, always is here.

    Safe on any thread. A closed page is noticed with its connection, in a moment; where the network has gone without a
    word, when the server's next pings stay without an answer.
    """
    if isinstance(someone, Guest):
        return someone.here
    if someone is None or not runtime.exists():
        return True
    return runtime.get_instance().is_active_session(str(someone))


def give_way() -> None:
    """To be called again and again by a run that waits: ends it when its visitor has done something else or has left.

    Streamlit ends a run where it uses the session, and nowhere else.
    """
    if visitor() is not None:
        _ = "scope" in st.session_state
