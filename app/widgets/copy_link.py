"""A button in the bar on top that copies the address: a link to exactly this view."""

from __future__ import annotations

import streamlit as st

from app.static import script, style

_CSS = style("copy_link")

_JS = script("copy_link")

_COPY = st.components.v2.component(
    "scope_copy_link",
    html="""<div class="copy"><button type="button" title="Copy a link to this view">
<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10 14a5 5 0 0 0 7 0l3-3a5 5 0 0 0-7-7l-1 1"/>
<path d="M14 10a5 5 0 0 0-7 0l-3 3a5 5 0 0 0 7 7l1-1"/></svg><span class="words" aria-live="polite">Copy link</span>
</button><label hidden>The browser keeps its clipboard closed here: press Ctrl+C (⌘C) to copy the link.
<input readonly></label></div>
""",
    css=_CSS,
    js=_JS,
)


def show() -> None:
    """The button, at the right end of the bar on top (`theme` places it)."""
    with st.container(key="copy-link"):
        _COPY(key="copy-link-button")
