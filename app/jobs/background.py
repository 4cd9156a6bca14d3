"""Long calculations beside the page: a thread waits for them, the page shows how far they are and can stop them.

Every answer is remembered under its own key, so that what is known is never calculated again. A `slot` is a place on
the page: when it asks something else, what it asked before is cancelled and its worker is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st

from app import state
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled, Progress
from inception_model.serving.service import BusyError, InferenceService

Compute = Callable[[Classifier, Progress, threading.Event], Any]
"""The calculation itself, on a twin of its own; it must report its progress or run the network, to be stoppable."""

Jobs = Mapping[Any, Compute]
"""What to calculate, by the key under which it will be remembered."""

POLL_SECONDS = 0.5
_WORKS = "scope.works"


@dataclass(eq=False)
class Work:
    """What one slot asked for. `steps`: done and in all; `error`: why there is no answer."""

    wanted: Hashable
    cancel: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    steps: tuple[float, float] = (0, 1)
    error: Exception | None = None
    polite: bool = False

    @property
    def running(self) -> bool:
        """Whether an answer may still come."""
        return not self.finished.is_set() and not self.cancel.is_set()

    def run(self, service: InferenceService, sha256: str, jobs: Jobs) -> None:
        """One job after the other; on the thread that waits, never on a worker: workers must not wait for others."""
        try:
            for number, (key, compute) in enumerate(jobs.items()):
                service.remember((sha256, key), partial(self._one, service, number, len(jobs), compute))
        except Exception as error:  # shown, or raised again, by the page
            self.error = error
        finally:
            self.finished.set()

    def _one(self, service: InferenceService, number: int, jobs: int, compute: Compute) -> Any:
        def progress(done: int, total: int) -> None:
            self.steps = (number + done / max(1, total), jobs)

        return service.run(
            lambda twin, progress: compute(twin, progress, self.cancel),
            cancel=self.cancel,
            progress=progress,
            polite=self.polite,
        )


def _works() -> dict[str, Work]:
    found: dict[str, Work] = st.session_state.setdefault(_WORKS, {})
    return found


def start(slot: str, jobs: Jobs, about: str, polite: bool = False) -> None:
    """Begins the jobs in a thread, for one photo's hash and the network; what the slot did before is cancelled."""
    before = _works().get(slot)
    if before is not None:
        before.cancel.set()
    work = _works()[slot] = Work(_wanted(jobs, about), polite=polite)
    threading.Thread(
        target=work.run, args=(state.service(), about, dict(jobs)), daemon=True, name=f"work-{slot}"
    ).start()


def stop(prefix: str) -> None:
    """Cancels whatever the slots with names that begin so are asking for."""
    for slot, work in _works().items():
        if slot.startswith(state.half_key(prefix)):
            work.cancel.set()


def _wanted(jobs: Jobs, about: str) -> Hashable:
    return about, state.classifier_key(), tuple(jobs)


def answers(
    slot: str,
    jobs: Jobs,
    title: str,
    *,
    ask: str = "",
    patience: float = 0.3,
    about: str | None = None,
    polite: bool = False,
) -> dict[Hashable, Any]:
    """Key -> answer of those that are known. While others are missing, their progress and a Cancel button are drawn.

    They start at once and for `patience` seconds the page waits for them; with `ask`, a button of that name starts
    them. What was cancelled starts again on a button only. `about`: hash of the photo that the answers belong to, the
    current one's if left out; "" for keys that name their photo themselves. `polite`: started by itself, it gives way
    to whatever else runs.
    """
    about = state.current_photo().sha256 if about is None else about

    def known(key: Hashable) -> Any:
        return state.service().recall((about, key))

    slot = state.half_key(slot)
    missing = {key: compute for key, compute in jobs.items() if known(key) is None}
    work = _works().get(slot)
    if missing:
        # Of several jobs some may be done by now: the work that does the rest is still the one.
        if work is not None and work.wanted != _wanted(jobs, about):
            work.cancel.set()
            work = None
        lost = work is not None and work.finished.is_set() and work.error is None
        if (work is None and not ask) or lost:
            start(slot, jobs, about, polite)
            work = _works()[slot]
            work.finished.wait(patience)
        if work is not None and work.running:
            _watch(slot, title)
        else:
            _offer(slot, jobs, about, work, ask)
    return {key: found for key in jobs if (found := known(key)) is not None}


def answer(
    slot: str, key: Hashable, compute: Compute, title: str, *, ask: str = "", patience: float = 0.3
) -> Any | None:
    """`answers` for a single question: its answer, or None as long as there is none."""
    return answers(slot, {key: compute}, title, ask=ask, patience=patience).get(key)


def _offer(slot: str, jobs: Jobs, about: str, work: Work | None, ask: str) -> None:
    """A button that starts, and why there is no answer yet."""
    if work is not None and work.finished.is_set() and work.error is None:
        return  # done between two looks
    if work is not None and (work.cancel.is_set() or isinstance(work.error, Cancelled)):
        st.html('<span class="scope-mut">Cancelled: nothing of it was kept.</span>')
    elif work is not None and isinstance(work.error, (BusyError, ValueError, TimeoutError)):
        st.warning(str(work.error))
    elif work is not None and work.error is not None:
        raise work.error
    st.button(ask or "Start again", key=f"start-{slot}", on_click=start, args=(slot, jobs, about))


@st.fragment(run_every=POLL_SECONDS)
def _watch(slot: str, title: str) -> None:
    """How far the slot's work is, looked at twice a second, and a button that stops it."""
    work = _works().get(slot)
    if work is None or not work.running:
        st.rerun()
    done, total = work.steps
    with st.container(key=f"watch-{slot}"):
        st.progress(min(1.0, done / total), f"{title}: {done / total:.0%}")
        st.button("Cancel", key=f"cancel-{slot}", on_click=work.cancel.set)
