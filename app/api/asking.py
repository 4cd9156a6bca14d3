"""One request from its arrival to its answer: let in, read, worked on beside the server's loop, logged, measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from app.api import log
from app.api.body import photo_bytes
from app.api.gate import Gate
from app.api.line import Line, Task
from app.api.parameters import read
from app.api.refusals import FAILED, NOT_STORED, RefusalError, as_json, refused

if TYPE_CHECKING:
    from app.api.questions import Ask, Found
    from inception_model.serving.turns import Place

SECONDS = 30.0
"""How long an answer may take from the moment that its photo has arrived."""

LOOKING = Line(2, "api-look")
EXPLAINING = Line(1, "api-explain")
"""One explanation at a time: of the network's workers one stays for the pages."""


def waiting() -> int:
    """Requests that wait for a thread of these."""
    return LOOKING.waiting + EXPLAINING.waiting


Endpoint = Callable[[Request], Awaitable[Response]]
POSITION = "x-queue-position"
"""The header of an answer that says where its request stood when it came; 0: it began at once."""


@dataclass
class Way:
    """Where a request is: the line that it waits in, and where it stood when it came there."""

    line: Line
    task: Task | None = None
    came: Place | None = None

    async def run(self, line: Line, work: Callable[[], Any], user: str) -> Any:
        """What the work returns, once its turn has come in a line."""
        self.line, self.task = line, line.put(work, user)
        self.came = line.place(self.task)
        return await line.run(self.task)

    @property
    def place(self) -> Place | None:
        """Where it waits at this moment; None where it doesn't."""
        return None if self.task is None else self.line.place(self.task)


def logged(route: str, answer: Endpoint) -> Endpoint:
    """Gives each request an id, which its answer carries and the log explains; refusals become JSON, and so do errors
    of the program, of which only the log says more."""

    async def endpoint(request: Request) -> Response:
        started, request_id = time.perf_counter(), log.new_id()
        try:
            response = await answer(request)
        except RefusalError as refusal:
            response = refused(refusal, request_id)
        except Exception as error:  # whatever it is, the client gets an id and the operator the way there
            log.say_failure("failure", request_id, error)
            response = refused(RefusalError(500, FAILED), request_id)
        response.headers["x-request-id"] = request_id
        seconds = round(time.perf_counter() - started, 4)
        log.say("request", id=request_id, route=route, status=response.status_code, seconds=seconds)
        return response

    return endpoint


def about_a_photo(kind: str, gate: Gate, ready: Callable[[], bool]) -> Endpoint:
    """What answers requests of a kind: `predict`, `inspect` or `explain`."""

    async def answer(request: Request) -> Response:
        if not ready():
            raise RefusalError(503, "The network is still being loaded: try again in a moment.")
        address = request.client.host if request.client else ""
        way = Way(EXPLAINING if kind == "explain" else LOOKING)
        try:
            leave = gate.enter(address)
        except RefusalError as refusal:
            if refusal.status in (429, 503) and not gate.closed:
                refusal.place = way.line.place_for(address)
            raise
        work: asyncio.Task[Found] | None = None
        try:
            from app.api import questions  # torch and all

            options = read(request.query_params, questions.PARAMETERS[kind])
            ask = questions.Ask(await photo_bytes(request), options, time.monotonic() + SECONDS, address)
            work = asyncio.create_task(_work(ask, kind, way))
        finally:
            if work is None:
                leave()
        _UNDERWAY.add(work)
        # The place is free again once nothing is done for it any more, which may be after its client has gone.
        work.add_done_callback(partial(_done, leave))
        found = await _awaited(work, ask, way, request)
        answered = as_json(found) if isinstance(found, dict) else Response(found[0], 200, NOT_STORED, found[1])
        answered.headers[POSITION] = str(0 if way.came is None else way.came.position)
        return answered

    return answer


def _done(leave: Callable[[], None], work: asyncio.Task[Found]) -> None:
    _UNDERWAY.discard(work)
    leave()
    if not work.cancelled():
        work.exception()  # has been told, or nobody is there any more who wants to know


_UNDERWAY: set[asyncio.Task[Found]] = set()
"""The loop itself keeps no task alive."""


async def _work(ask: Ask, kind: str, way: Way) -> Found:
    """The answer, by the threads of the API."""
    from app.api import questions

    try:
        if kind != "explain":
            return await way.run(LOOKING, partial(questions.told, questions.QUICK[kind], ask), ask.user)  # type: ignore[no-any-return]
        run = await way.run(LOOKING, partial(questions.told, questions.prepare_explain, ask), ask.user)
        return await way.run(EXPLAINING, partial(questions.told, run, ask), ask.user)  # type: ignore[no-any-return]
    finally:
        ask.guest.here = False


async def _awaited(work: asyncio.Task[Found], ask: Ask, way: Way, request: Request) -> Found:
    """What the work finds; it is told to end once its time is over or its client has gone."""
    gone = asyncio.create_task(_gone(request))
    try:
        # The work ends by itself at about the same time, unless it is still in the middle of something.
        await asyncio.wait({work, gone}, timeout=ask.left + 1, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        if (place := way.place) is not None:
            said = f"Its turn did not come within {SECONDS:g} s, so it was not begun. {place.sentence} Try again later."
            raise RefusalError(503, said, place=place)
        raise RefusalError(503, "It was not done in time: the server is busy, or the work is too large.")
    finally:
        ask.cancel.set()
        gone.cancel()


async def _gone(request: Request) -> None:
    """Returns once the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
