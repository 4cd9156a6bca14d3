"""The cap on people, and what those see who wait: at the door of a full server, and in line for a calculation."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from app.jobs.background import Job, Work
from app.state import measures, operator, room, turn, visitors
from app.state.room import DOOR, KEPT_SECONDS, TURNED_AWAY, Room
from inception_model.architecture.variants import tiny
from inception_model.serving.service import InferenceService, Place
from tests.app.asking import good, words
from tests.app.shell import MAIN
from tests.random_networks import random_classifier
from tests.serving.threads import start, wait_until


def refused() -> int:
    return int(list(measures.REFUSED.lines())[-1].rpartition(" ")[2])


class Clock:
    """Time goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_place_is_free_again_when_somebody_leaves_and_those_at_the_door_come_in_by_turns() -> None:
    here, clock = set[Hashable]("abcdef"), Clock()
    found, before = Room(lambda: 2, here.__contains__, clock), refused()
    assert [found.enter(who) for who in "abcd"] == [0, 0, 1, 2]
    assert [found.enter(who) for who in "dcba"] == [2, 1, 0, 0], "asking again changes nothing"
    assert found.at_the_door == 2
    assert refused() - before == 2, "each is counted once"
    here.remove("a")
    assert found.enter("c") == 1, "it is kept for a moment"
    clock.now += KEPT_SECONDS
    assert found.enter("e") == 3, "the place is of those who wait longer"
    assert found.enter("d") == 2
    assert found.enter("c") == 0
    here.remove("d")
    assert found.enter("e") == 1, "who left the door is not waited for"
    here.remove("b")
    assert found.enter("e") == 1
    clock.now += KEPT_SECONDS
    assert found.enter("e") == 0
    here.remove("c")
    assert found.enter("f") == 0, "nobody waits at the door: at once, whenever it was that somebody left"
    assert found.at_the_door == 0


def test_who_loads_the_page_again_keeps_the_place() -> None:
    here, clock = set[Hashable]("abcde"), Clock()
    found = Room(lambda: 2, here.__contains__, clock)
    assert [found.enter(who, browser) for who, browser in (("a", "mine"), ("b", "theirs"), ("c", "mine"))] == [0, 0, 1]
    clock.now += KEPT_SECONDS
    here.remove("a")
    assert found.enter("c", "mine") == 1, "somebody else with such a browser, who waits longer"
    assert found.enter("d", "mine") == 0
    assert found.enter("c", "mine") == 1
    assert found.enter("e", "theirs") == 2
    here.remove("b")
    assert found.enter("e", "theirs") == 0, "came before the end of the old page was noticed"
    here -= {"d", "e"}
    assert found.enter("c", "other") == 1
    here.add("d")
    assert found.enter("d", "mine") == 0, "a connection that was lost for a moment"
    clock.now += KEPT_SECONDS
    assert found.enter("c", "other") == 0


def test_who_does_nothing_for_long_makes_room_for_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    here, clock = set[Hashable]("abcdefgh"), Clock()
    found = Room(lambda: 3, here.__contains__, clock, lambda: 100.0)
    assert [found.enter(who) for who in "abc"] == [0, 0, 0]
    clock.now = 60
    assert found.enter("b") == 0
    found.active("c")
    found.active("d")
    clock.now = 99
    assert found.enter("d") == 1
    clock.now = 100
    assert "a" in found._inside, "nobody asked for the place"
    assert found.enter("d") == 0
    assert "a" not in found._inside
    assert found.enter("a") == 1, "who comes back waits as everybody"
    clock.now = 160
    assert found.enter("a") == 0
    assert set(found._inside) == {"a", "c", "d"}, "only as many go as wait"
    assert found.enter("e") == 0
    assert set(found._inside) == {"a", "d", "e"}
    here.remove("a")
    clock.now = 230
    assert found.enter("f") == 0, "there is a free place"
    assert "d" in found._inside
    patient = Room(lambda: 1, here.__contains__, clock)
    assert [patient.enter("g"), patient.enter("h")] == [0, 1]
    clock.now += 1e6
    assert patient.enter("h") == 1, "0: never"
    assert operator.idle_seconds() == 60 * operator.IDLE_MINUTES
    monkeypatch.setenv(operator.IDLE, "0")
    assert operator.idle_seconds() == 0


def test_only_so_many_wait_at_the_door() -> None:
    here = set[Hashable](range(100))
    found, before = Room(lambda: 2, here.__contains__, Clock()), refused()
    came = [found.enter(who) for who in range(15)]
    assert came == [0, 0, *range(1, 11), *[TURNED_AWAY] * 3]
    assert (found.at_the_door, DOOR) == (10, 5)
    assert refused() - before == 13
    here.remove(5)
    assert [found.enter(20), found.enter(21)] == [10, TURNED_AWAY]


def test_behind_one_address_browsers_are_told_apart_by_their_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit writes the same token anew, with another mask, whenever a page is loaded."""

    def browser(cookie: str | None) -> Hashable:
        headers, cookies = {"User-Agent": "the school's"}, {} if cookie is None else {room.COOKIE: cookie}
        context = SimpleNamespace(ip_address="192.0.2.1", headers=headers, cookies=cookies)
        monkeypatch.setattr(st, "context", context)
        return room.browser()

    mine, again, theirs = (browser(generate_xsrf_token_string(token, 1)) for token in (b"m" * 16, b"m" * 16, b"t" * 16))
    assert room.COOKIE == XSRF_COOKIE_NAME
    assert mine == again != theirs
    assert browser(None) != mine
    assert browser("nonsense") != mine
    here, clock = set[Hashable]("abcd"), Clock()
    found = Room(lambda: 1, here.__contains__, clock)
    assert [found.enter("a", mine), found.enter("b")] == [0, 1]
    clock.now += KEPT_SECONDS
    here.remove("a")
    assert found.enter("c", theirs) == 2, "the place is kept for another one"
    assert found.enter("d", again) == 0


def test_the_operator_says_how_many_and_0_takes_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert operator.sessions() == operator.PEOPLE
    monkeypatch.setenv(operator.SESSIONS, "3")
    assert operator.sessions() == 3
    monkeypatch.setenv(operator.SESSIONS, "0")
    everybody = Room(operator.sessions, lambda _: True)
    assert {everybody.enter(i) for i in range(100)} == {0}
    monkeypatch.setenv(operator.SESSIONS, "many")
    with pytest.raises(ValueError, match="whole number, 0 at least"):
        operator.sessions()


def test_one_too_many_sees_a_clear_page_and_nothing_is_computed_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    here: set[Hashable] = {*range(30), "waits longer", "test session id"}
    full = Room(lambda: 30, here.__contains__, clock := Clock())
    for visitor in (*range(30), "waits longer"):
        full.enter(visitor)
    monkeypatch.setattr(room, "ROOM", full)
    app = good(AppTest.from_file(MAIN, default_timeout=90).run())
    said = words(app)
    assert "30 people are in here" in said
    assert "Try again in a minute" in said
    assert "You are second in line." in said
    assert not app.button
    assert "scope.works.run" not in app.session_state, "the page itself never began"
    here -= {0, "waits longer"}
    assert full.enter("test session id") == 1
    clock.now += KEPT_SECONDS
    assert full.enter("test session id") == 0


def test_who_finds_the_door_full_is_not_asked_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Room(lambda: 1, lambda _: True, Clock())
    for visitor in range(1 + DOOR):
        full.enter(visitor)
    monkeypatch.setattr(room, "ROOM", full)
    app = good(AppTest.from_file(MAIN, default_timeout=90).run())
    said = words(app)
    assert "1 person is in here" in said
    assert "Load this page again in some minutes" in said
    assert "You are" not in said
    assert full.at_the_door == DOOR


@pytest.fixture
def busy() -> Iterator[tuple[InferenceService, threading.Event]]:
    """A service whose only worker is taken by Ada, who has one more waiting; and what lets her go."""
    service, release = InferenceService(random_classifier(tiny()), twins=1), threading.Event()
    threads = [start(service, lambda _: release.wait(20), user="ada") for _ in range(2)]
    wait_until(lambda: service.load == (1, 1))
    yield service, release
    release.set()
    for thread in threads:
        thread.join(20)
    service.close()


def test_a_page_that_waits_says_where_it_stands(
    busy: tuple[InferenceService, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob and Cyd come after Ada's second: they are before it, one after the other."""
    service, release = busy
    said = list[str]()

    @contextlib.contextmanager
    def spinner(text: str) -> Iterator[None]:
        said.append(text)
        if "second" in text:
            release.set()
        yield
        said.append("gone")

    monkeypatch.setattr(st, "spinner", spinner)
    monkeypatch.setattr(visitors, "visitor", lambda: "cyd")
    monkeypatch.setattr(visitors, "give_way", lambda: None)
    bob = start(service, lambda _: None, user="bob")
    wait_until(lambda: service.load == (1, 2))
    with turn.awaited() as waiting:
        assert service.run(lambda _: "answer", **waiting) == "answer"
    assert said[0] == "You are second in line."
    assert said.count("gone") == len([text for text in said if text != "gone"]), "what was said goes away"
    bob.join(20)


def test_work_beside_the_page_knows_its_place_until_its_turn_comes(
    busy: tuple[InferenceService, threading.Event],
) -> None:
    service, release = busy
    places = list[Place | None]()

    class Noted(Work):
        def _stands(self, place: Place | None) -> None:
            super()._stands(place)
            places.append(self.place)

    work = Noted("wanted", visitor=None)
    go = threading.Event()

    def compute(*_: object) -> str:
        assert go.wait(20)
        return "done"

    thread = threading.Thread(target=work.do, args=(service, "photo", [Job("key", compute)]))
    thread.start()
    wait_until(lambda: work.place == Place(1))
    release.set()
    wait_until(lambda: places[-1] is None)
    go.set()
    thread.join(20)
    assert work.error is None
    assert service.recall(("photo", "key")) == "done"
