"""What a visitor sees where a page fails: a sentence and an id, which the log explains."""

from __future__ import annotations

import streamlit as st

from app.api import log


def page_failed(error: Exception) -> bool:
    """To be called with an error that a page did not handle; returns whether the visitor has been told.

    Where the operator has details shown (`client.showErrorDetails`), Streamlit shows the error itself.
    """
    failure = log.new_id()
    log.say_failure("page failure", failure, error)
    if st.get_option("client.showErrorDetails") != "none":
        return False
    st.error(
        f"Something went wrong on this page: reload it, or go on with another one. The log of the server says more "
        f"under {failure}."
    )
    return True
