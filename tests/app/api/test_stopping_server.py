"""SIGTERM on the running server: what runs is finished, new work is refused, and it is over within ten seconds."""

from __future__ import annotations

import signal
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from app.api import stopping
from app.api.gate import Gate
from inception_model.images.samples import SAMPLES
from inception_model.serving import ending as ending_module
from inception_model.serving.service import BusyError, InferenceService
from tests.app.api.api_server import Answer, Server, api_server
from tests.serving.threads import wait_until

SECONDS = 10.0
FINISHED = 1.5
"""Seconds that the work which is to be finished takes about, on this machine as busy as it is."""
ENDED = (-signal.SIGTERM, 128 + signal.SIGTERM, 0)
CAT = next(sample.path for sample in SAMPLES if sample.name == "cat" and sample.path is not None)


def asked(server: Server, steps: int) -> tuple[threading.Thread, list[Answer | OSError]]:
    """An explanation under way, on a thread of its own, and where its answer will be."""
    found: list[Answer | OSError] = []

    def ask() -> None:
        try:
            found.append(server.post("explain", CAT.read_bytes(), ("option", f"steps={steps}")))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until = time.monotonic() + 30
    while server.ask("/api/load").json["running"] == 0:
        assert time.monotonic() < until
        time.sleep(0.02)
    return thread, found


def events(server: Server) -> dict[str, dict]:
    return {line["event"]: line for line in server.lines()}


def test_what_runs_is_finished_and_nothing_new_begins(tmp_path: Path) -> None:
    with api_server(tmp_path) as server:
        assert server.post("explain", CAT.read_bytes(), ("option", "steps=9")).status == 200  # all is loaded
        pace = server.post("explain", CAT.read_bytes(), ("option", "steps=10")).json["seconds"] / 10
        steps = next(n for n in count(max(2, int(FINISHED / pace))) if n not in (9, 10))  # those answers are remembered
        thread, found = asked(server, steps)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        until = started + 5
        while server.ask("/api/ready").status == 200:
            assert time.monotonic() < until
        assert server.ask("/api/ready").json == {"state": "stopping"}
        refused = server.post("predict", CAT.read_bytes())
        assert refused.status == 503
        assert "being stopped" in refused.json["error"]
        assert not found, "the work was to be under way"
        thread.join(SECONDS)
        ready = time.monotonic()
        server.process.wait(SECONDS)
        assert time.monotonic() - started < SECONDS
        assert time.monotonic() - ready < 3, "without anything to do it is over at once"
        assert server.process.returncode in ENDED
        [answer] = found
        assert isinstance(answer, Answer)
        assert answer.status == 200
        assert answer.json["method"] == "integrated_gradients"
        assert (events(server)["stopping"]["inside"], events(server)["stopped"]["unfinished"]) == (1, 0)


def test_pages_that_are_connected_begin_nothing_new(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, gate = list[str](), Gate(lambda: 2)
    monkeypatch.setattr(stopping, "FINISH_SECONDS", 5.0)
    monkeypatch.setattr(stopping, "LAST_SECONDS", 0.0)
    monkeypatch.setattr(stopping, "_give_up", lambda: ended.append("given up"))
    monkeypatch.setattr(stopping.os, "_exit", lambda status: ended.append(str(status)))
    leave, ending = gate.enter("a"), stopping.Stopping(gate)
    going = threading.Thread(target=ending._goodbye)
    going.start()
    try:
        assert small.run(lambda _: "done") == "done"
        ending._asked(signal.SIGTERM, None)
        wait_until(ending_module.STOPPING.is_set)
        for ask in (small.run, lambda work: small.share("new", work)):
            with pytest.raises(BusyError, match="This server is being stopped"):
                ask(lambda *_: "done")
        assert not ended, "what runs is waited for"
        leave()
        going.join(5)
        assert ended == ["given up", str(128 + signal.SIGTERM)]
    finally:
        ending_module.STOPPING.clear()


def test_it_is_over_in_time_whatever_it_does(tmp_path: Path) -> None:
    """With work of half a minute before ten seconds have passed."""
    with api_server(tmp_path) as server:
        thread, found = asked(server, 1000)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(SECONDS + 5)
        assert time.monotonic() - started < SECONDS
        assert server.process.returncode in ENDED
        thread.join()
        [answer] = found
        assert isinstance(answer, OSError) or answer.status == 503
        assert events(server)["stopped"]["unfinished"] == 1
