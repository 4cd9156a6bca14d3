"""Turns: nobody's many things delay another by more than one of them, and the told place is the true one."""

from __future__ import annotations

import random
import threading
import time

import pytest

from inception_model.inference.classifier import Classifier
from inception_model.serving.job import Job
from inception_model.serving.service import BusyError, InferenceService, Place
from inception_model.serving.turns import Pace, Turns
from inception_model.serving.waiter import Waiter
from inception_model.serving.workers import TurnMissedError
from tests.serving.threads import start, wait_until


def taken(turns: Turns[str]) -> list[str]:
    """Everything, in the order in which it is taken, one at a time."""
    found = []
    while len(turns):
        thing, user = turns.pop()
        turns.ended(user)
        found.append(thing)
    return found


def test_users_are_served_in_turn() -> None:
    turns = Turns[str]()
    for user, count in (("a", 4), ("b", 1), ("c", 2)):
        for i in range(count):
            turns.put(f"{user}{i}", user)
    assert taken(turns) == ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]


def test_who_has_something_running_lets_the_others_go_first() -> None:
    turns = Turns[str]()
    for i in range(3):
        turns.put(f"a{i}", "a")
    assert turns.pop() == ("a0", "a")
    turns.put("b0", "b")
    assert taken(turns) == ["b0", "a1", "a2"]
    turns.put("a3", "a")
    turns.ended("a")
    turns.put("c0", "c")  # a has nothing running any more, and was there before
    assert taken(turns) == ["a3", "c0"]


def test_what_several_wait_for_comes_with_the_first_turn_of_them_all() -> None:
    turns = Turns[str]()
    for user, thing in (("a", "a0"), ("a", "shared"), ("b", "b0"), ("c", "shared"), ("c", "c0")):
        turns.put(thing, user)
    assert len(turns) == 4
    assert turns.position("shared") == 3
    assert taken(turns) == ["a0", "b0", "shared", "c0"]
    for user in "abc":
        turns.put("shared", user)
    turns.remove("shared", "b")
    assert turns.users_of("shared") == ["a", "c"]
    turns.remove("shared")
    assert turns.first() is None


def test_the_told_place_is_the_true_one_for_any_order_of_arrivals() -> None:
    draw = random.Random(4)
    for _ in range(200):
        turns = Turns[str]()
        for i in range(draw.randrange(1, 12)):
            for user in draw.sample("abcd", draw.choice((1, 1, 1, 2, 3))):
                turns.put(str(i), user)
        places = {thing: turns.position(thing) for thing in turns}
        order = taken(turns)
        assert [places[thing] for thing in order] == list(range(1, len(order) + 1))
        assert turns.position("0") is None


def test_a_place_is_told_in_words_and_with_what_the_wait_is_about() -> None:
    pace = Pace()
    assert pace.place(3, 1).sentence == "You are third in line."
    assert pace.place(1, 1).sentence == "You are next."
    for seconds in (1.0, 4.0, 90.0):
        pace.learn(seconds)
    assert pace.place(3, 2) == Place(3, 8.0)
    assert pace.place(3, 2).sentence == "You are third in line: your turn comes in about 8 s."
    assert Place(12, 150.0).sentence == "You are 12th in line: your turn comes in about 2 min."
    assert [Place(i).sentence.split()[2] for i in (21, 22, 113)] == ["21st", "22nd", "113th"]


def test_ten_jobs_of_one_user_delay_another_users_by_none(tiny_classifier: Classifier) -> None:
    """The one that runs is waited for; then the newcomer is next, before the nine that were there earlier."""
    service, release, order = InferenceService(tiny_classifier, twins=1), threading.Event(), list[str]()
    threads = [start(service, lambda _: (release.wait(20), order.append("ada 0")), user="ada")]
    wait_until(lambda: service.load == (1, 0))
    for i in range(1, 10):
        threads.append(start(service, lambda _, i=i: order.append(f"ada {i}"), user="ada"))
        wait_until(lambda i=i: service.load == (1, i))
    places = list[Place | None]()

    def told(place: Place | None) -> None:
        places.append(place)
        release.set()

    service.run(lambda _: order.append("bob"), user="bob", line=told, timeout=20)
    for thread in threads:
        thread.join(20)
    assert order == ["ada 0", "bob", *(f"ada {i}" for i in range(1, 10))]
    assert places[0] == Place(1)
    service.close()


def test_one_user_cannot_take_all_places(tiny_classifier: Classifier) -> None:
    service, release = InferenceService(tiny_classifier, twins=1, queue=16), threading.Event()
    threads = [start(service, lambda _: release.wait(20), user="ada")]
    wait_until(lambda: service.load == (1, 0))
    threads += [start(service, lambda _: release.wait(20), user="ada") for _ in range(2)]
    wait_until(lambda: service.load == (1, 2))
    with pytest.raises(BusyError, match="2 calculations of yours wait"):
        service.run(lambda _: None, user="ada")
    threads.append(start(service, lambda _: None, user="bob"))
    wait_until(lambda: service.load == (1, 3))
    release.set()
    for thread in threads:
        thread.join(20)
    service.close()


def test_work_whose_time_is_over_before_its_turn_is_not_run(tiny_classifier: Classifier) -> None:
    service, release, ran = InferenceService(tiny_classifier, twins=1), threading.Event(), list[str]()
    thread = start(service, lambda _: release.wait(20))
    wait_until(lambda: service.load == (1, 0))
    late = Job(lambda twin, job: ran.append("late"), until=time.monotonic() - 1)
    service._workers.put(late, "ada")
    release.set()
    assert service.run(lambda _: ran.append("next"), timeout=20) is None
    assert late.finished.wait(20)
    assert isinstance(late.error, TurnMissedError)
    assert "Its turn did not come in time" in str(late.error)
    assert ran == ["next"]
    assert Waiter().begins_until < float("inf"), "everything has a deadline"
    thread.join(20)
    service.close()
