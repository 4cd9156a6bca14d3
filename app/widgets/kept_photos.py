"""The user's photos outlive a reload: the browser keeps the files, the server only has them in the session's memory.

What the browser hands back comes by an uploader that nobody sees: the same transfer, limits and decoder as an upload.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.state import arrivals, photos, session
from app.static import script
from app.templates import as_text, render
from app.widgets import filmstrip

KEY, BACK = "kept-photos-component", "kept-photos-files"

_KEEPER = st.components.v2.component("scope_kept_photos", html="<i hidden></i>\n", js=script("kept_photos"))


def show() -> None:
    """Lets the browser keep what was uploaded and hand it back to a new session. Call it in every whole run."""

    def handed_back() -> None:
        files = [(_placed(name), data) for data, name in arrivals.take_over(st.session_state[BACK])]
        files.sort(key=lambda found: found[0][0])
        filmstrip.arrive([(data, name) for (_, name), data in files], choose=False)

    def left() -> None:
        names: Any = (st.session_state.get(KEY) or {}).get("left")
        if isinstance(names, Sequence) and not isinstance(names, str):
            photos.set_not_kept([str(name) for name in names])

    if not (token := session.get("token", "")):
        session.put("token", token := secrets.token_hex(8))
    with st.container(key="kept-photos"):
        _KEEPER(
            key=KEY,
            data={
                "session": token,
                "own": [photo.sha256 for photo in photos.uploads()],
                "removals": photos.removals(),
                "waits": bool(photos.missing_photos()) and not photos.browser_answered(),
                "most": photos.MAX_UPLOADS,
                "bytes": photos.MAX_KEPT_BYTES,
            },
            on_left_change=left,
            on_nothing_change=photos.browser_has_answered,
        )
        if not photos.browser_answered():
            st.file_uploader(
                "What this browser kept",
                accept_multiple_files=True,
                key=BACK,
                on_change=handed_back,
                label_visibility="collapsed",
            )


def _placed(name: str) -> tuple[int, str]:
    """`3 cat.png` -> 3 and `cat.png`: the place in the filmstrip that the browser wrote before the name."""
    place, _, rest = name.partition(" ")
    return (int(place), rest) if place.isdecimal() and rest else (photos.MAX_UPLOADS, name)


def missing() -> None:
    """Says which photos had to give way to those of others; and which ones a link names and neither this session nor
    this browser has, as soon as that is known."""
    if names := photos.given_way():
        st.warning(
            as_text(
                f"This server's memory for photos is full, so the oldest gave way: {filmstrip.listed(names)}. Drop "
                "the same file again to look at it."
            )
        )
    if photos.browser_answered():
        for known in photos.missing_photos():
            st.html(render("missing_photo.html", hash=known, photo=photos.first_photo().name))
