"""One sentence above the heads where their answer deserves none or little trust."""

from __future__ import annotations

import streamlit as st
from markupsafe import Markup

from app.state import known
from app.state.panel import Panel
from app.templates import render
from inception_model.analysis.doubt import Doubt


def doubt_html(doubt: Doubt) -> Markup:
    """The sentence, what it says first in bold."""
    lead, colon, rest = doubt.sentence.partition(":")
    return render("doubt.html", lead=lead + colon, rest=rest)


def show(panel: Panel) -> None:
    """Nothing where nothing speaks against the answer."""
    found = known.doubt(panel)
    if found is not None and found.sentence:
        st.html(doubt_html(found))
