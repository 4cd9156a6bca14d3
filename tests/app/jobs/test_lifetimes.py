"""Work lives as long as somebody waits for it: a visitor who leaves, a page that is left, a slot that is gone."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import background
from app.jobs.background import Job, Work
from app.state import network, visitors
from app.state.panel import panels
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled, Progress
from inception_model.serving.service import InferenceService
from tests.app.asking import good
from tests.app.shell import MAIN
from tests.serving.threads import wait_until


class Endless:
    """A calculation that only an end of all who wait for it ends, unless it is let go."""

    def __init__(self) -> None:
        self.begun, self.stopped, self.go = threading.Event(), threading.Event(), threading.Event()
        self.steps = 0

    def __call__(self, twin: Classifier, progress: Progress, cancel: threading.Event) -> str:
        self.begun.set()
        try:
            while not self.go.wait(0.005):
                self.steps += 1
                progress(self.steps, 10**9)
        except Cancelled:
            self.stopped.set()
            raise
        return "done"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Visitors whose page is connected; `ada` begins."""
    found = {"ada", "bob"}
    monkeypatch.setattr(visitors, "is_here", lambda someone: someone in found)
    monkeypatch.setattr(visitors, "visitor", lambda: "ada")
    return found


def as_visitor(monkeypatch: pytest.MonkeyPatch, kept: dict[str, Any], name: str) -> None:
    """From now on the run is another visitor's, with a session of their own."""
    monkeypatch.setattr(visitors, "visitor", lambda: name)
    kept.pop("works", None)


def idle(service: InferenceService) -> bool:
    return service.load == (0, 0)


@pytest.mark.usefixtures("kept")
def test_a_job_ends_when_the_only_one_who_waits_has_left(here: set[str], small: InferenceService) -> None:
    endless = Endless()
    work = background.start("slot", [Job(("lifetimes", 1), endless)], "photo")
    assert endless.begun.wait(20)
    assert small.load[0] == 1
    here.remove("ada")
    assert endless.stopped.wait(20)
    assert work.finished.wait(20)
    assert work.abandoned
    wait_until(lambda: idle(small))
    assert small.recall(("photo", ("lifetimes", 1))) is None


def test_a_shared_job_goes_on_for_the_one_who_stays(
    here: set[str], kept: dict[str, Any], small: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = Endless()
    first = background.start("slot", [Job(("lifetimes", 2), endless)], "photo")
    assert endless.begun.wait(20)
    as_visitor(monkeypatch, kept, "bob")
    second = background.start("slot", [Job(("lifetimes", 2), Endless())], "photo")
    wait_until(lambda: second.steps != (0, 1))
    here.remove("ada")
    assert first.finished.wait(20)
    done = endless.steps
    wait_until(lambda: endless.steps > done + 3)
    assert second.running
    assert small.load == (1, 0)
    endless.go.set()
    assert second.finished.wait(20)
    assert second.error is None
    assert small.recall(("photo", ("lifetimes", 2))) == "done"


@pytest.mark.usefixtures("here", "kept")
def test_leaving_a_page_cancels_what_only_it_waits_for(small: InferenceService) -> None:
    left, kept_work = Endless(), Endless()
    background.enter("why")
    background.start("ledger", [Job(("lifetimes", 3), left)], "photo")
    assert left.begun.wait(20)
    background.enter("look")
    assert left.stopped.wait(20)
    assert background.work_of("ledger") is None, "coming back to the page is to begin again"
    background.start("map", [Job(("lifetimes", 4), kept_work)], "photo")
    background.tidy()
    background.enter("look")
    work = background.asked("map")
    background.tidy()
    assert work is not None
    assert work.running
    background.enter("look")
    background.tidy()
    assert not work.running, "nothing on the page asks for it any more"
    assert kept_work.stopped.wait(20)
    wait_until(lambda: idle(small))


def test_the_app_tells_which_page_it_is_on() -> None:
    app = good(AppTest.from_file(MAIN, default_timeout=90).run())
    here, elsewhere = (Work((), page=page, run=10**6) for page in ("look", "why"))
    app.session_state["scope.works"] = {"here": here, "elsewhere": elsewhere}
    app.session_state["scope.works.run"] = 10**6 - 1
    good(app.run())
    assert not here.cancel.is_set()
    assert elsewhere.cancel.is_set()
    good(app.run())
    assert here.cancel.is_set()


WATCHED = Endless()


def _a_page() -> None:
    from app.jobs.background import Job
    from app.widgets import progress
    from tests.app.jobs.test_lifetimes import WATCHED

    progress.answer(None, "watched", Job(("lifetimes", 5), WATCHED), "Title", patience=0)


def test_a_visitor_who_was_away_for_a_moment_finds_the_work_begun_again(
    small: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "service", lambda: small)
    away = threading.Event()
    monkeypatch.setattr(visitors, "is_here", lambda someone: not away.is_set())
    page = good(AppTest.from_function(_a_page, default_timeout=60).run())
    assert WATCHED.begun.wait(20)
    away.set()
    first = page.session_state["scope.works"]["watched"]
    assert first.finished.wait(20)
    away.clear()
    WATCHED.begun.clear()
    good(page.run())
    assert WATCHED.begun.wait(20)
    page.session_state["scope.works"]["watched"].cancel.set()
    wait_until(lambda: idle(small))


def _a_number_and_a_button() -> None:
    import streamlit as st

    from app.jobs import background
    from app.jobs.background import Job
    from app.state.options import Option
    from app.widgets import progress
    from app.widgets.persistent_choice import persistent_choice

    background.enter(st.radio("page", ["why", "look"]))
    number = persistent_choice(st.number_input, "number", Option("test.asked", 1), min_value=1, max_value=9)

    def compute(twin: object, progress: object, cancel: object) -> int:
        return 10 * number

    found = progress.answer(None, "asked", Job(("lifetimes", 7, number), compute), "Title", ask="Begin", patience=20)
    st.text(repr(found))


@pytest.fixture
def numbered(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with the number 1, nothing begun."""
    monkeypatch.setattr(network, "service", lambda: small)
    return good(AppTest.from_function(_a_number_and_a_button, default_timeout=60).run())


def test_a_button_begins_with_the_number_that_was_typed_last(numbered: AppTest) -> None:
    """The browser sends what stands in a field when the field is left, here for the button: both in one message."""
    numbered.number_input[0].set_value(3)
    good(numbered.button[0].click().run())
    assert (numbered.text[0].value, len(numbered.button)) == ("30", 0)
    good(numbered.number_input[0].set_value(4).run())
    assert (numbered.text[0].value, len(numbered.button)) == ("None", 1), "each number is begun by a click of its own"


def test_what_one_page_was_asked_to_begin_no_other_begins(numbered: AppTest) -> None:
    numbered.number_input[0].set_value(5)
    numbered.radio[0].set_value("look")
    good(numbered.button[0].click().run())
    assert (numbered.text[0].value, len(numbered.button)) == ("None", 1)


@pytest.mark.usefixtures("kept")
def test_a_run_that_waits_for_an_answer_gives_way(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(BaseException):
        """As Streamlit ends a run."""

    asked, stopped = list[float](), threading.Event()

    def give_way() -> None:
        asked.append(time.monotonic())
        if len(asked) > 3:
            raise Interrupted

    def work(twin: Classifier) -> None:
        try:
            while True:
                twin.heads_of(twin.prepare(panels()[0].photo.image))
        except Cancelled:
            stopped.set()
            raise

    monkeypatch.setattr(visitors, "give_way", give_way)
    with pytest.raises(Interrupted):
        panels()[0].ask(("lifetimes", 6), work)
    assert stopped.wait(20)
    wait_until(lambda: idle(small))


def _a_run_that_is_wanted_elsewhere() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from app.state import visitors

    class Interrupted(BaseException):
        pass

    def interrupt() -> None:
        raise Interrupted

    context = get_script_run_ctx()
    assert context is not None
    session = context.session_state
    before = session._yield_callback
    object.__setattr__(session, "_yield_callback", interrupt)
    try:
        visitors.give_way()
        said = "went on"
    except Interrupted:
        said = "ended"
    finally:
        object.__setattr__(session, "_yield_callback", before)
    st.write(f"{said} {visitors.visitor()}")


def test_streamlit_ends_a_run_where_it_gives_way() -> None:
    page = good(AppTest.from_function(_a_run_that_is_wanted_elsewhere, default_timeout=60).run())
    said, _, name = page.markdown[0].value.partition(" ")
    assert said == "ended"
    assert name not in ("", "None")


def test_outside_of_any_run_nobody_is_interrupted_and_the_server_is_always_here() -> None:
    visitors.give_way()
    assert visitors.visitor() is None
    assert visitors.is_here(None)


@pytest.mark.usefixtures("kept")
def test_every_page_asks_for_its_answers_so_that_a_run_can_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page waits for with its run alone goes by `share` or `run` with a poll, never by a bare wait."""
    from pathlib import Path

    root = Path(__file__).resolve().parents[3] / "app"
    bare = [
        path.name
        for path in root.rglob("*.py")
        for call in path.read_text().split("service().")[1:]
        if call.startswith(("run(", "share(", "look(")) and "**waiting" not in call.split("\n\n")[0]
    ]
    assert not bare
