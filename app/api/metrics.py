"""`/api/metrics`: what the server does and holds at this moment, and what it has done since its start."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from streamlit import runtime
from streamlit.runtime.stats import GaugeStat

from app.api import asking
from app.api.gate import Gate
from app.api.refusals import NOT_STORED
from app.api.uploads import UPLOADS
from app.state import measures
from inception_model.serving.metrics import CONTENT_TYPE, Gauge, exposition

Message = MutableMapping[str, Any]
OTHERS = "pages"
"""The route of everything that is no route of the API: Streamlit's pages, their files and connections."""
_MEMORY = Path("/proc/self/statm")
_THREADS, _FILES = Path("/proc/self/task"), Path("/proc/self/fd")


class Counted:
    """ASGI middleware: counts HTTP answers by route and status. Unknown addresses below /api are one route."""

    def __init__(self, app: Any, routes: frozenset[str]) -> None:
        self.app, self.routes = app, routes

    async def __call__(self, scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        """Passes everything on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        route = path if path in self.routes else "/api/..." if path.startswith("/api/") else OTHERS

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                measures.REQUESTS.add(route, str(message["status"]))
            await send(message)

        await self.app(scope, receive, counted)


def families(gate: Gate, ready: Callable[[], bool]) -> tuple[Any, ...]:
    """Everything that is measured. Until the network is there, what asks for it has no samples."""

    def once_ready(read: Callable[[], float]) -> Callable[[], float | None]:
        return lambda: read() if ready() else None

    return (
        measures.REQUESTS,
        measures.LOOKS,
        measures.EXPLANATIONS,
        measures.BATCHES,
        measures.REFUSED,
        Gauge("inceptionscope_ready", "1 once the network has looked at an image.", lambda: float(ready())),
        Gauge("inceptionscope_work_running", "Calculations on the networks' workers.", once_ready(lambda: _work()[0])),
        Gauge("inceptionscope_work_waiting", "Calculations that wait for one.", once_ready(lambda: _work()[1])),
        Gauge("inceptionscope_looks_waiting", "Photos that wait for their forward pass.", once_ready(_looks_waiting)),
        Gauge("inceptionscope_api_requests_inside", "Requests of programs that are worked on.", lambda: gate.inside),
        Gauge("inceptionscope_api_requests_waiting", "Requests of programs that wait for their turn.", asking.waiting),
        Gauge("inceptionscope_sessions", "Pages that are connected.", _sessions),
        Gauge("inceptionscope_sessions_waiting", "Pages that wait for a place.", once_ready(_at_the_door)),
        Gauge("inceptionscope_networks", "Networks that are held.", once_ready(_networks)),
        Gauge("inceptionscope_answer_bytes", "Memory of remembered answers.", once_ready(_answers), "bytes"),
        Gauge("inceptionscope_photo_bytes", "Memory of visitors' photos.", once_ready(_photos), "bytes"),
        Gauge("inceptionscope_upload_bytes", "Files sent that no page took yet.", lambda: UPLOADS.used, "bytes"),
        Gauge("inceptionscope_hooks", "Hooks on the shared networks: none between looks.", once_ready(_hooks)),
        Gauge("inceptionscope_threads", "Threads of the process (on Linux).", lambda: _entries(_THREADS)),
        Gauge("inceptionscope_open_files", "Open files and connections (on Linux).", lambda: _entries(_FILES)),
        Gauge("inceptionscope_resident_memory_bytes", "Memory of the process (on Linux).", _resident, "bytes"),
    )


def metrics(gate: Gate, ready: Callable[[], bool]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint."""
    shown = families(gate, ready)

    async def answer(_: Request) -> Response:
        return Response(exposition(shown), 200, {**NOT_STORED, "content-type": CONTENT_TYPE})

    return answer


def _work() -> tuple[int, int]:
    from app.state import network

    return network.working()


def _looks_waiting() -> int:
    from app.state import network

    return network.looks_waiting()


def _at_the_door() -> int:
    from app.state import room

    return room.ROOM.at_the_door


def _networks() -> int:
    from app.state import network

    return len(network.NETWORKS)


def _hooks() -> int:
    from app.state import network
    from inception_model.serving.service import hook_count

    return sum(hook_count(service.classifier.network) for service in network.NETWORKS.services())


def _entries(folder: Path) -> int | None:
    """How many there are in a folder of Linux's table of this process."""
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        return None


def _answers() -> int:
    from app.state import shelf

    return shelf.ANSWERS.used


def _photos() -> int:
    from app.state import shelf

    return shelf.PHOTOS.used


def _sessions() -> int | None:
    if not runtime.exists():
        return None
    found = runtime.get_instance().stats_mgr.get_stats(["active_sessions"]).get("active_sessions", ())
    return sum(stat.value for stat in found if isinstance(stat, GaugeStat))


def _resident() -> int | None:
    """Pages of memory that are really there, the second number of Linux's statm."""
    try:
        return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
