"""The app as a server: `streamlit run app/server.py`. What `main.py` draws, with safe headers and readiness.

`/api/ready` answers 200 once the bundled network has looked at an image, before that and where it can't, 503.
`/api/load` says what the server does and holds at that moment. `/api` lists what programs may ask.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

# Streamlit puts this file's folder on the path; the packages `app` and `inception_model` lie one above.
ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import JSONResponse  # noqa: E402
from starlette.routing import Route  # noqa: E402
from streamlit import config  # noqa: E402

from app.api import log, routes  # noqa: E402
from app.api.failures import Failures, page_failed  # noqa: E402
from app.api.gate import Gate  # noqa: E402
from app.api.metrics import Counted  # noqa: E402
from app.api.stopping import NoNewPages, Stopping  # noqa: E402
from app.api.uploads import KnownUploads, guard_uploads  # noqa: E402
from app.web import (  # noqa: E402
    OnlyItself,
    OwnOrigin,
    SafeHeaders,
    ask_nobody_for_addresses,
    keep_uploads_in_memory,
    listens_to_itself,
)

WARMER = "warm"
"""The thread's name."""
NOT_STORED = {"cache-control": "no-store"}


class Readiness:
    """Whether the network has answered. The server accepts visitors meanwhile: they see that it is loading."""

    def __init__(self) -> None:
        self.state, self.why = "loading", ""

    def warm(self) -> None:
        """Loads the default network and asks it once; to be called on a thread of its own."""
        # Streamlit warns of whatever asks for the session; here there is none.
        said = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
        said.addFilter(lambda record: record.threadName != WARMER)
        try:
            from app.state import network  # torch and all: after the server has begun to answer

            network.warm()
        except Exception as error:  # whatever it is, the operator has to read it where readiness is asked
            self.state, self.why = "failed", type(error).__name__
            raise
        self.state = "ready"

    async def answer(self, request: Request) -> JSONResponse:
        """`{"state": "loading" | "ready" | "failed" | "stopping"}`; a failure's reason is in the log, here only its
        kind."""
        if GATE.closed:
            return JSONResponse({"state": "stopping"}, 503, NOT_STORED)
        body = {"state": self.state} | ({"why": self.why} if self.why else {})
        return JSONResponse(body, 200 if self.state == "ready" else 503, NOT_STORED)


READINESS = Readiness()
"""Of this process."""


def places() -> int:
    """How many requests of programs are worked on at a time, as the operator says."""
    from app.state import operator

    return operator.api_requests()


GATE = Gate(places)
"""What all requests of programs pass through."""


def is_ready() -> bool:
    """Whether the network has answered."""
    return READINESS.state == "ready"


async def load(_: Request) -> JSONResponse:
    """`running` and `waiting`: calculations on the networks' workers; `networks` that are held; bytes in memory."""
    if READINESS.state != "ready":
        return JSONResponse({"state": READINESS.state}, 503, NOT_STORED)
    from app.state import network, shelf

    running, waiting = network.working()
    held = {"networks": len(network.NETWORKS), "answer_bytes": shelf.ANSWERS.used, "photo_bytes": shelf.PHOTOS.used}
    return JSONResponse({"running": running, "waiting": waiting} | held, headers=NOT_STORED)


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Loads the network beside the server's start; its end finishes what runs."""
    log.begin()
    guard_uploads()
    Stopping(GATE).begin()
    log.say("start")
    threading.Thread(target=READINESS.warm, name=WARMER, daemon=True).start()
    yield


def middleware() -> list[Middleware]:
    """From the outside in; only hosts that the operator names (`server.allowedHosts`) where there are any, and else
    only this machine's own names where nobody else reaches it."""
    hosts, address = list(config.get_option("server.allowedHosts") or []), config.get_option("server.address")
    trusted: list[Middleware] = []
    if hosts:
        trusted = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)]
    elif listens_to_itself(address):
        trusted = [Middleware(OnlyItself, address=address)]
    return [
        Middleware(Counted, routes=frozenset(routes.ALLOWED)),
        Middleware(SafeHeaders),
        Middleware(Failures),
        *trusted,
        Middleware(OwnOrigin),
        Middleware(routes.OperatorsFigures),
        Middleware(NoNewPages, gate=GATE),
        Middleware(KnownUploads),
    ]


ask_nobody_for_addresses()
keep_uploads_in_memory()
app = st.App(
    ROOT / "app" / "main.py",
    lifespan=lifespan,
    routes=[Route("/api/ready", READINESS.answer), Route("/api/load", load), *routes.routes(GATE, is_ready)],
    middleware=middleware(),
    on_script_error=page_failed,
)
