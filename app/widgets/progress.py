"""What a page shows of its long computations: the answer, or how far it is and a Cancel button, or a button to start.

A `slot` is the place on the page that asks (see `jobs.background`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import streamlit as st

from app.jobs import background
from app.jobs.background import Job, Work
from app.state import memory, network, room
from app.state.panel import Panel
from app.templates import as_text, render
from inception_model.progress import Cancelled
from inception_model.serving.service import BusyError

POLL_SECONDS = 0.5


def answers(
    panel: Panel | None,
    slot: str,
    jobs: Sequence[Job],
    title: str,
    *,
    ask: str = "",
    patience: float = 0.3,
    low_priority: bool = False,
    meanwhile: Callable[[], None] | None = None,
) -> dict[Hashable, Any]:
    """Key -> answer of those that are known. While others are missing, their progress and a Cancel button are drawn.

    They start at once and for `patience` seconds the page waits for them; with `ask`, a button of that name starts
    them. What was cancelled starts again on a button only. `panel`: whose photo the answers are about; None where the
    keys say everything. `low_priority`: started by itself, it gives way to whatever else runs. `meanwhile`: draws what
    there is so far, again and again.
    """
    about = "" if panel is None else panel.photo.key
    slot = slot if panel is None else panel.widget_key(slot)

    def known(job: Job) -> Any:
        return network.service().recall((about, job.key))

    work, wished = background.asked(slot), background.wished(slot)
    if any(known(job) is None for job in jobs):
        # Of several jobs some may be done by now: the work that does the rest is still the one.
        if work is not None and work.wanted != background.wanted(jobs, about):
            work.cancel.set()
            work = None
        # Lost: its answer is forgotten again, or its visitor was away for a moment.
        lost = work is not None and work.finished.is_set() and (work.error is None or work.abandoned)
        if wished or (work is None and not ask) or lost:
            work = background.start(slot, jobs, about, low_priority and not wished)
            work.finished.wait(patience)
        if work is not None and work.running:
            _watch(slot, title, meanwhile)
        else:
            _offer(slot, work, ask)
    return {job.key: found for job in jobs if (found := known(job)) is not None}


def answer(
    panel: Panel | None,
    slot: str,
    job: Job,
    title: str,
    *,
    ask: str = "",
    patience: float = 0.3,
    meanwhile: Callable[[], None] | None = None,
) -> Any | None:
    """`answers` for a single question: its answer, or None as long as there is none."""
    return answers(panel, slot, (job,), title, ask=ask, patience=patience, meanwhile=meanwhile).get(job.key)


def _offer(slot: str, work: Work | None, ask: str) -> None:
    """A button that starts, and why there is no answer yet."""
    if work is not None and work.finished.is_set() and work.error is None:
        return  # done between two looks
    if work is not None and (work.cancel.is_set() or isinstance(work.error, Cancelled)):
        st.html(render("quiet.html", text="Cancelled: nothing of it was kept."))
    elif work is not None and isinstance(work.error, (BusyError, ValueError, TimeoutError)):
        st.warning(as_text(str(work.error)))
    elif work is not None and work.error is not None:
        raise work.error
    # A number typed into a field reaches the server with the click on the button, at the latest: what is begun is what
    # the run after the click asks for, not what the page showed before.
    st.button(ask or "Start again", key=f"start-{slot}", on_click=background.wish, args=(slot,))


@st.fragment(run_every=POLL_SECONDS)
def _watch(slot: str, title: str, meanwhile: Callable[[], None] | None = None) -> None:
    """How far the slot's work is or where it waits in line, looked at twice a second, what there is so far, and a
    button that stops it."""
    work = background.work_of(slot)
    if work is None or not work.running:
        st.rerun()
    room.active()
    done, total = work.steps
    with st.container(key=f"watch-{slot}"):
        told = f"{title}: {done / total:.0%}" if work.place is None else f"{title}. {work.place.sentence}"
        st.progress(min(1.0, done / total), told)
        st.button("Cancel", key=f"cancel-{slot}", on_click=work.cancel.set)
        if meanwhile is not None:
            meanwhile()
    memory.settle()  # the first work of a kind imports much
