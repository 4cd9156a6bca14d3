"""The stories that can be told: each is looked for, photo by photo, when somebody asks for it."""

from __future__ import annotations

from itertools import count
from typing import Any

import streamlit as st

from app.jobs import background, story_search
from app.jobs.background import Job
from app.jobs.story_search import NotYetError
from app.state import navigation, network
from app.state.panel import Panel
from app.templates import render
from app.widgets import progress, stories
from app.widgets.stories import STORIES
from inception_model.progress import Cancelled


def show() -> None:
    """A button per story; below them how far the search is, or that no photo has it."""
    if not network.trained_heads():
        return
    name = stories.wanted()
    with st.container(key="stories", horizontal=True, gap="small", vertical_alignment="center"):
        st.html(render("quiet.html", text="Stories, half a minute each:"), width="content")
        for other, story in STORIES.items():
            st.button(story.title, key=f"story-{other}", on_click=stories.want, args=(other,))
    if name is not None:
        with st.container(key="story-search"):
            _look_for(name)


def _look_for(name: str) -> None:
    story, film = STORIES[name], story_search.film()
    slots = (f"story-{place}" for place in count(1))  # what was known by now may have left a bar in its slot
    for number, panel in enumerate(film, 1):
        title = f"{story.title}: photo {number} of {len(film)}"

        def asked(about: Panel | None, job: Job, title: str = title) -> Any:
            slot = next(slots)
            work = background.work_of(slot if about is None else about.widget_key(slot))
            if work is not None and work.cancel.is_set():  # the search is over, not this step of it alone
                raise Cancelled
            found = progress.answer(about, slot, job, title)
            if found is None:
                raise NotYetError
            return found

        try:
            found = story.search(panel, asked)
        except NotYetError:
            return
        except Cancelled:
            stories.want(None)
            st.html(render("quiet.html", text="Cancelled."))
            return
        if found is not None:
            stories.begin(name, found)
            if navigation.leaves():
                st.rerun()
    st.html(render("quiet.html", text=f"{story.missing} Another photo of yours may have it."))
