"""One request to an ASGI application without a server: what tests of middleware share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.app.api.api_server import Answer


def ask(
    app: Any, path: str, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """What the application answers; whatever it raises after that is raised."""
    said = {"host": "localhost:8501", "content-length": str(len(body)), **(headers or {})}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in said.items()],
        "client": ("192.0.2.1", 1),
        "server": ("localhost", 8501),
    }
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    with ThreadPoolExecutor(1) as pool:  # a thread that drives a browser has a loop already
        pool.submit(asyncio.run, app(scope, receive, send)).result()
    start = sent[0]
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, content)
