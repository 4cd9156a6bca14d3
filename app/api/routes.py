"""The routes below /api that belong to nobody's session, and `/api`, which lists them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api.asking import SECONDS, about_a_photo, logged
from app.api.body import TYPES
from app.api.gate import Gate
from app.api.metrics import metrics
from app.api.refusals import RefusalError, as_json
from app.web import shows_metrics
from inception_model import __version__
from inception_model.images.limits import FORMATS, MAX_BYTES, MAX_PIXELS

QUESTIONS = {
    "predict": "what the heads say about a photo",
    "inspect": "every branch of every module as arrays",
    "explain": "what in a photo speaks for a class",
}
"""Asked by POST, with the photo as the body."""
PLACES = {
    "/api": "this list",
    "/api/ready": "200 once the network has answered, before that and while the server ends 503",
}
"""Asked by GET."""
FIGURES = {
    "/api/load": "what the server does and holds at this moment",
    "/api/metrics": "the same and more as OpenMetrics text",
}
"""The same, for the operator (see `OperatorsFigures`)."""
HIDDEN = (*FIGURES, "/_stcore/metrics")
"""With Streamlit's own, which tells how many are here and what they hold."""
ALLOWED = dict.fromkeys((*PLACES, *FIGURES), "GET, HEAD") | {f"/api/{kind}": "POST" for kind in QUESTIONS}
"""Methods by path."""


class OperatorsFigures:
    """ASGI middleware: how busy the server is, is told only where the operator lets it be."""

    def __init__(self, app: Any, shown: Callable[[], bool] = shows_metrics) -> None:
        self.app, self.shown = app, shown
        self._none = logged("/api/...", _no_address)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Callable[..., Any]) -> None:
        """Passes everything else on. The path is the decoded one, as the routes read it."""
        hidden = scope["type"] == "http" and scope["path"].rstrip("/").endswith(HIDDEN) and not self.shown()
        if hidden:
            await (await self._none(Request(scope, receive)))(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def routes(gate: Gate, ready: Callable[[], bool]) -> list[Route]:
    """All but readiness and load, which the server has itself; to come after those two."""
    asked = [
        Route(f"/api/{kind}", logged(f"/api/{kind}", about_a_photo(kind, gate, ready)), methods=["POST"])
        for kind in QUESTIONS
    ]
    # Without it Streamlit would answer with the first page.
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [
        Route("/api", _listed),
        Route("/api/metrics", metrics(gate, ready)),
        *asked,
        Route("/api", logged("/api/...", _no_such), methods=every),
        Route("/api/{rest:path}", logged("/api/...", _no_such), methods=every),
    ]


async def _listed(_: Request) -> Response:
    """Loads what knows the options, beside the server's loop."""
    return as_json(await asyncio.get_running_loop().run_in_executor(None, contents))


def contents() -> dict[str, Any]:
    """What can be asked, with all options and their defaults."""
    from app.api import questions

    places = PLACES | (FIGURES if shows_metrics() else {})
    photo = f"as the body ({TYPES}): {', '.join(FORMATS)}, at most {MAX_BYTES / 2**20:.0f} MB"
    posts = [
        {
            "path": f"/api/{kind}",
            "method": "POST",
            "what": words,
            "options": {
                parameter.name: {
                    "what": parameter.words,
                    "default": parameter.default or None,
                    "repeatable": parameter.several,
                }
                for parameter in questions.PARAMETERS[kind]
            },
        }
        for kind, words in QUESTIONS.items()
    ]
    return {
        "name": "InceptionScope",
        "version": __version__,
        "photo": f"{photo} and {MAX_PIXELS / 1e6:.0f} million pixels",
        "options": "in the address, with the names that they have on the command line",
        "errors": 'status 400, 404, 405, 408, 413, 415, 429, 500 or 503 and {"error": sentence, "id": as in the log}; '
        '429 and 503 with Retry-After and, where it is known, "position" in line',
        "turns": "addresses are served in turn; the header x-queue-position says where a request stood when it came: "
        "0, it began at once; 1, it was the next",
        "seconds": SECONDS,
        "routes": [*({"path": path, "method": "GET", "what": words} for path, words in places.items()), *posts],
    }


async def _no_such(request: Request) -> Response:
    path = request.url.path
    if path in ALLOWED:
        raise RefusalError(405, f"{path} is asked by {ALLOWED[path]}; see /api.", {"allow": ALLOWED[path]})
    return await _no_address(request)


async def _no_address(_: Request) -> Response:
    raise RefusalError(404, "There is no such address; /api lists those that there are.")
