"""Errors of the program outside of the API: answered with an id, counted and with all headers, their words nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app.api.failures import Failures
from app.api.metrics import OTHERS
from app.server import middleware
from app.state import measures
from app.web import HEADERS
from tests.app.api.asgi import ask
from tests.app.api.test_api_parts import lines

__all__ = ["lines"]


def failed() -> int:
    """Answers of status 500 so far to what is no route of the API."""
    label = f'{{route="{OTHERS}",status="500"}}'
    return sum(int(line.rpartition(" ")[2]) for line in measures.REQUESTS.lines() if label in line)


def test_a_route_that_fails_has_the_headers_is_counted_and_says_an_id(lines: list[dict[str, Any]]) -> None:
    async def broken(_: Request) -> Response:
        raise ValueError("a-private-name.png is to blame")

    before = failed()
    answer = ask(Starlette(routes=[Route("/broken", broken)], middleware=middleware()), "/broken")
    assert answer.status == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert failed() == before + 1
    [line] = lines
    assert answer.json["id"] == answer.headers["x-request-id"] == line["id"]
    assert (line["event"], line["error"]) == ("failure", "ValueError")
    assert "private" not in answer.body.decode() + json.dumps(lines)


def test_an_answer_that_has_begun_is_broken_off_and_a_client_that_left_is_no_failure(
    lines: list[dict[str, Any]],
) -> None:
    async def half(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("in the middle")

    async def left(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ClientDisconnect

    with pytest.raises(ValueError, match="in the middle"):
        ask(Failures(half), "/half")
    assert [line["error"] for line in lines] == ["ValueError"]
    assert ask(Failures(left), "/left").status == 200
    assert len(lines) == 1
