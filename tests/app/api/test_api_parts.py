"""The API's parts alone: how many come in, errors of the program, time, clients that leave, networks that are lent."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest
import streamlit as st
from starlette.requests import Request
from starlette.responses import Response

from app.api import asking, body, log
from app.api.failures import page_failed
from app.api.gate import Gate
from app.api.line import Line
from app.api.refusals import RefusalError, as_json
from app.state import network, visitors
from inception_model.images.samples import SAMPLES
from inception_model.serving.service import InferenceService

T = TypeVar("T")

SLOW, QUICK = "method=integrated_gradients&option=steps=1000", "method=integrated_gradients&option=steps=2"


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the log says meanwhile."""
    found: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(record.getMessage()))

    handler = Kept()
    log.LOG.addHandler(handler)
    log.LOG.setLevel(logging.INFO)
    yield found
    log.LOG.removeHandler(handler)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Its result, on a thread of its own: one that drives a browser has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def request(query: str = "", *pieces: bytes, then: Callable[[], Any] | None = None) -> Request:
    """A POST of a PNG in these pieces; `then` is awaited afterwards, and the client has left once it returns."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await (asyncio.Event().wait() if then is None else then())
        return {"type": "http.disconnect"}

    headers = [(b"content-type", b"image/png")]
    scope = {"type": "http", "method": "POST", "path": "/api/explain", "query_string": query.encode()}
    return Request({**scope, "headers": headers, "client": ("192.0.2.1", 1)}, receive)


def test_only_so_many_come_in_and_half_of_them_from_one_address() -> None:
    gate = Gate(lambda: 4)
    leave = [gate.enter("a"), gate.enter("a")]
    with pytest.raises(RefusalError) as refusal:
        gate.enter("a")
    assert refusal.value.status == 429
    leave += [gate.enter("b"), gate.enter("c")]
    with pytest.raises(RefusalError) as refusal:
        gate.enter("d")
    assert refusal.value.status == 503
    leave[0]()
    leave[0]()  # once is enough
    assert gate.inside == 3
    gate.enter("d")
    gate.closed = True
    with pytest.raises(RefusalError, match="being stopped"):
        gate.enter("e")


def test_the_operator_can_switch_it_off() -> None:
    with pytest.raises(RefusalError) as refusal:
        Gate(lambda: 0).enter("a")
    assert refusal.value.status == 404


def test_an_error_of_the_program_has_an_id_and_says_nothing_else(lines: list[dict[str, Any]]) -> None:
    async def broken(_: Request) -> Response:
        raise ValueError("the photo a-private-name.png is to blame")

    answer = run(asking.logged("/api/predict", broken)(request()))
    said = json.loads(bytes(answer.body))
    failure, line = lines
    assert answer.status_code == 500
    assert "private" not in bytes(answer.body).decode() + json.dumps(lines)
    assert said["id"] == failure["id"] == line["id"] == answer.headers["x-request-id"]
    assert (failure["event"], failure["error"], line["status"]) == ("failure", "ValueError", 500)
    assert "tests/app/api/test_api_parts.py:" in failure["way"]


def test_a_moment_that_is_bad_says_when_to_come_again(lines: list[dict[str, Any]]) -> None:
    async def busy(_: Request) -> Response:
        raise RefusalError(503, "No.")

    answer = run(asking.logged("/api/predict", busy)(request()))
    assert int(answer.headers["retry-after"]) > 0
    assert [line["status"] for line in lines] == [503]
    assert as_json({}).headers["cache-control"] == "no-store"


def test_before_the_network_is_there_nothing_is_read() -> None:
    answer = asking.about_a_photo("predict", Gate(lambda: 4), lambda: False)
    with pytest.raises(RefusalError, match="still being loaded"):
        run(answer(request()))


def test_a_photo_that_does_not_arrive_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "SECONDS", 0.1)
    never = request("", b"beginning")
    receive = never.receive

    async def stalled() -> Any:
        found = await receive()
        if not found["body"]:
            await asyncio.Event().wait()
        return found

    never._receive = stalled
    with pytest.raises(RefusalError) as refusal:
        run(body.photo_bytes(never))
    assert refusal.value.status == 408


@pytest.fixture
def lent(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> list[visitors.Guest]:
    """The tiny network is what the API is lent; who it was lent to."""
    guests: list[visitors.Guest] = []

    def lend(name: str, guest: visitors.Guest) -> InferenceService:
        guests.append(guest)
        return small

    monkeypatch.setattr(network, "lent", lend)
    return guests


def wait_until(reached: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)


def cat_bytes() -> bytes:
    sample = next(sample for sample in SAMPLES if sample.name == "cat")
    assert sample.path is not None
    return sample.path.read_bytes()


def test_what_takes_too_long_is_ended(
    small: InferenceService, lent: list[visitors.Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(lambda: 4)
    # The first question of a kind imports what it needs, which may take longer than the limit.
    run(asking.about_a_photo("explain", gate, lambda: True)(request(QUICK, cat_bytes())))
    monkeypatch.setattr(asking, "SECONDS", 1.0)
    started = time.monotonic()
    with pytest.raises(RefusalError, match="not done in time") as refusal:
        run(asking.about_a_photo("explain", gate, lambda: True)(request(SLOW, cat_bytes())))
    assert refusal.value.status == 503
    assert time.monotonic() - started < 5
    wait_until(lambda: small.load == (0, 0) and gate.inside == 0)
    assert len(lent) == 2
    assert not lent[-1].here


def test_a_client_that_leaves_ends_its_work(small: InferenceService, lent: list[visitors.Guest]) -> None:
    async def leaves_once_it_runs() -> None:
        while small.load[0] == 0:
            await asyncio.sleep(0.02)

    gate = Gate(lambda: 4)
    asked = request(SLOW + "&target=2", cat_bytes(), then=leaves_once_it_runs)
    with pytest.raises(RefusalError):
        run(asking.about_a_photo("explain", gate, lambda: True)(asked))
    wait_until(lambda: small.load == (0, 0) and gate.inside == 0, seconds=5)


def test_of_the_workers_one_stays_for_the_pages(small: InferenceService, lent: list[visitors.Guest]) -> None:
    """Three explanations are asked for at once; at no moment do two of them run."""
    seen: list[int] = []

    async def ask() -> None:
        answer = asking.about_a_photo("explain", Gate(lambda: 8), lambda: True)
        asked = [asyncio.create_task(answer(request(f"option=steps=40&target={n}", cat_bytes()))) for n in range(3)]
        while not all(task.done() for task in asked):
            seen.append(sum(small.load))
            await asyncio.sleep(0.005)
        assert [(await task).status_code for task in asked] == [200, 200, 200]

    run(ask())
    assert max(seen) == 1


def test_addresses_are_served_in_turn_and_each_knows_its_place() -> None:
    line, release, order = Line(1, "test"), threading.Event(), list[str]()
    first = line.put(lambda: release.wait(20), "ada")
    wait_until(lambda: line.waiting == 0)
    assert line.place(first) is None
    tasks = {name: line.put(partial(order.append, name), name[:3]) for name in ("ada 1", "ada 2", "ada 3", "bob 1")}
    places = {name: line.place(task) for name, task in tasks.items()}
    assert {name: place.position for name, place in places.items() if place} == {
        "bob 1": 1, "ada 1": 2, "ada 2": 3, "ada 3": 4,
    }  # fmt: skip
    assert (line.place_for("bob").position, line.place_for("cyd").position) == (3, 2)
    assert line.waiting == 4
    failed = line.put(lambda: 1 // 0, "cyd")
    release.set()
    for task in tasks.values():
        task.result.result(20)
    assert order == ["bob 1", "ada 1", "ada 2", "ada 3"]
    with pytest.raises(ZeroDivisionError):
        failed.result.result(20)


def test_a_full_server_says_when_to_come_again_and_the_place_in_line(
    lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, release = Line(1, "test"), threading.Event()
    monkeypatch.setattr(asking, "LOOKING", line)
    line._pace.learn(7.4)
    for _ in range(3):
        line.put(lambda: release.wait(20), "192.0.2.9")
    wait_until(lambda: line.waiting == 2)
    gate = Gate(lambda: 1)
    gate.enter("192.0.2.9")
    answer = run(asking.logged("/api/predict", asking.about_a_photo("predict", gate, lambda: True))(request()))
    release.set()
    assert answer.status_code == 503
    said = json.loads(bytes(answer.body))
    assert said["position"] == 1, "before the second of the other address"
    assert answer.headers["retry-after"] == "8"
    assert lines[-1]["status"] == 503


def test_a_request_whose_turn_does_not_come_in_time_is_told_its_place_and_never_begun(
    small: InferenceService, lent: list[visitors.Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, release = Line(1, "test"), threading.Event()
    monkeypatch.setattr(asking, "LOOKING", line)
    monkeypatch.setattr(asking, "SECONDS", 0.0)
    for _ in range(2):
        line.put(lambda: release.wait(20), "192.0.2.9")
    wait_until(lambda: line.waiting == 1)
    gate = Gate(lambda: 4)

    async def ask() -> None:
        try:
            await asking.about_a_photo("predict", gate, lambda: True)(request("", cat_bytes()))
        finally:
            release.set()

    with pytest.raises(RefusalError, match=r"so it was not begun\. You are next") as refusal:
        run(ask())
    assert refusal.value.place is not None
    wait_until(lambda: gate.inside == 0)
    assert not lent, "no network was asked for"


def test_a_guest_is_here_until_its_question_is_answered() -> None:
    guest = visitors.Guest()
    assert visitors.is_here(guest)
    guest.here = False
    assert not visitors.is_here(guest)


@pytest.mark.parametrize("details", ["none", "full"])
def test_a_page_that_fails_says_an_id_that_the_log_explains(
    lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, details: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(st, "error", said.append)
    monkeypatch.setattr(st, "get_option", {"client.showErrorDetails": details}.__getitem__)
    try:
        raise KeyError("a-private-name.png")
    except KeyError as error:
        told = page_failed(error)
    [line] = lines
    assert (line["event"], line["error"]) == ("page failure", "KeyError")
    assert "private" not in json.dumps(lines) + "".join(said)
    assert told is (details == "none")
    assert [line["id"] in sentence for sentence in said] == [True] * told
