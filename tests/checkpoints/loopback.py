"""A server on this machine that behaves and misbehaves, and what a refused download has to tell."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from inception_model.checkpoints.download import Published, local_file

CONTENT = bytes(range(256)) * 4096  # 1 MiB: four chunks

SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the loopback server answers, and the ranges it was asked for."""

    content: bytes = CONTENT
    status: int = 200
    ranges: bool = True
    stop_after: int | None = None
    length: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        body = self.content[start:]
        status = 416 if start and not body else 206 if start else self.status
        handler.send_response(status)
        if self.length and status < 400:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if status < 400:
            handler.wfile.write(body[: self.stop_after])


def assert_tells_what_to_do(message: str, entry: Published) -> None:
    """The address, and the exact place for the file."""
    assert entry.url in message
    assert str(local_file(entry)) in message
