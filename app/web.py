"""What stands between a browser and Streamlit: headers, who may open a connection, and under which names.

Nothing here needs the network: all of it is there as soon as the server answers.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.formparsers import MultiPartParser
from starlette.responses import PlainTextResponse
from streamlit import config, net_util

from inception_model.images.limits import MAX_BYTES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

# Streamlit's front end sets styles on elements, makes modules of components from blobs and compiles a worker's code.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob: data:",
        "connect-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
"""What a page may load: everything comes from this server, nothing from anybody else."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}
UPLOAD_BYTES = 2 * MAX_BYTES
"""More than the server lets in at once."""
SAFE = ("GET", "HEAD", "OPTIONS")
METRICS = "INCEPTIONSCOPE_METRICS"
"""1 shows what the server does and holds to everybody who reaches it, 0 to nobody."""
ITSELF = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine for itself."""


class SafeHeaders:
    """ASGI middleware: every HTTP answer carries HEADERS, in place of what it says itself under these names."""

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; HTTP answers get the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name, value) for name, value in message["headers"] if name.decode().lower() not in HEADERS]
                message["headers"] = [*own, *((name.encode(), value.encode()) for name, value in HEADERS.items())]
            await send(message)

        await self.app(scope, receive, with_headers)


class OwnOrigin:
    """ASGI middleware: pages of other origins open no connection and change nothing here.

    An origin is this server's own if it is the address that the browser asked (the Host header), or one that the
    operator allows (`server.corsAllowedOrigins`). Streamlit itself would look for the machine's public address on the
    internet to compare a foreign origin with it, for every such request until one succeeds.
    """

    def __init__(self, app: Asgi) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses a foreign WebSocket or changing request; what only reads is answered as if no origin was named."""
        if scope["type"] not in ("http", "websocket") or is_own(_header(scope, b"origin"), _header(scope, b"host")):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "another origin"})
        elif scope["method"] in SAFE:
            unnamed = [(name, value) for name, value in scope["headers"] if name.lower() != b"origin"]
            await self.app({**scope, "headers": unnamed}, receive, send)
        else:
            refusal = PlainTextResponse("Requests from pages of another origin are refused.", status_code=403)
            await refusal(scope, receive, send)


def is_own(origin: str | None, host: str | None) -> bool:
    """Whether a request with that Origin header (None: without one) belongs to pages of this server."""
    if origin is None:
        return True
    allowed = config.get_option("server.corsAllowedOrigins") or []
    try:
        named = urlsplit(origin).netloc
    except ValueError:  # no address at all, such as one with half an IPv6 in it
        return False
    return origin in allowed or (bool(host) and named.lower() == str(host).lower())


class OnlyItself:
    """ASGI middleware for a server that only its own machine reaches: other names than that machine's own are refused.

    A page of anybody's can point a name of theirs at this machine, and would then be of the server's own origin.
    """

    def __init__(self, app: Asgi, address: str) -> None:
        self.app, self.names = app, ITSELF | {address.strip("[]").lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what was asked for under a name of this machine."""
        if scope["type"] not in ("http", "websocket") or host_name(_header(scope, b"host")) in self.names:
            await self.app(scope, receive, send)
        else:
            refusal = PlainTextResponse("Invalid host header", status_code=400)
            await refusal(scope, receive, send)


def host_name(host: str | None) -> str | None:
    """A Host header without its port, in small letters and without the brackets of an IPv6; None where it is none."""
    try:
        return urlsplit(f"//{host or ''}").hostname
    except ValueError:
        return None


def listens_to_itself(address: str | None) -> bool:
    """Whether only this machine can reach the server; Streamlit without an address listens to everybody."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address((address or "").strip("[]")).is_loopback
    except ValueError:
        return False


def shows_metrics() -> bool:
    """Whether it is told what the server does and holds: as the operator says, else where it listens to itself."""
    said = os.environ.get(METRICS, "").strip()
    return said == "1" if said else listens_to_itself(config.get_option("server.address"))


def _header(scope: Scope, name: bytes) -> str | None:
    """The first header of that name, decoded; None where there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), None)


def keep_uploads_in_memory() -> None:
    """What is uploaded is never written to the disk on its way: Starlette would spool files above 1 MB."""
    MultiPartParser.spool_max_size = UPLOAD_BYTES


def ask_nobody_for_addresses() -> None:
    """Streamlit never looks for its own address outside: where it would, it already has one.

    It keeps what it found in two private variables; there is no setting for it. Where a later version renames them,
    `OwnOrigin` still keeps foreign origins away, and only a banner on the terminal can ask.
    """
    for name in ("_external_ip", "_internal_ip"):
        if hasattr(net_util, name):
            setattr(net_util, name, "localhost")
