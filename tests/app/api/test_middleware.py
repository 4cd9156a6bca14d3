"""What stands before Streamlit, without a server: under which names it answers, and whom it tells how busy it is."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from streamlit import config

from app.api import routes
from app.server import middleware
from app.state import operator
from tests.app.api.asgi import ask


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await Response("here")(scope, receive, send)


def wrapped(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Starlette:
    """The server's middleware around a page at every address, with these settings of Streamlit's."""
    said = {"server.address": None, "server.allowedHosts": [], **{f"server.{name}": v for name, v in settings.items()}}
    of_others = config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: said[name] if name in said else of_others(name))
    return Starlette(routes=[Mount("/", answering)], middleware=middleware())


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "::1"])
def test_a_server_of_one_machine_answers_to_no_other_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = wrapped(monkeypatch, address=address)
    for host in ("localhost:8501", "LOCALHOST", "127.0.0.1:8501", "[::1]:8501", "[::1]"):
        assert ask(app, "/", headers={"host": host}).status == 200, host
    for host in ("rebound.example", "rebound.example:8501", "localhost.example", "192.0.2.7", "[::2]:8501", "[", ""):
        answer = ask(app, "/", headers={"host": host})
        assert (answer.status, "content-security-policy" in answer.headers) == (400, True), host
    assert ask(wrapped(monkeypatch, address="127.0.0.7"), "/", headers={"host": "127.0.0.7:1"}).status == 200
    named = wrapped(monkeypatch, address=address, allowedHosts=["scope.example"])
    assert ask(named, "/", headers={"host": "scope.example"}).status == 200
    assert ask(named, "/", headers={"host": "localhost"}).status == 400
    everywhere = wrapped(monkeypatch, address="0.0.0.0")
    assert ask(everywhere, "/", headers={"host": "scope.example"}).status == 200


FIGURES = ("/api/load", "/api/metrics", "/_stcore/metrics")


@pytest.mark.parametrize(
    ("address", "said", "shown"),
    [
        ("localhost", "", True),
        ("localhost", "0", False),
        ("0.0.0.0", "", False),
        (None, "", False),
        (None, "1", True),
        (None, "yes", False),
    ],
)
def test_the_operators_figures_are_shown_by_permission(
    address: str | None, said: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(operator.METRICS, said)
    app = wrapped(monkeypatch, address=address)
    for path in FIGURES:
        answer = ask(app, path)
        assert answer.status == (200 if shown else 404), path
        assert shown or "no such address" in answer.json["error"]
    assert ask(app, "/_stcore/health").status == 200
    assert ask(app, "/api/ready").status == 200
    listed = {route["path"] for route in routes.contents()["routes"]}
    assert (set(FIGURES[:2]) <= listed) is shown
