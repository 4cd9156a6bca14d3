"""A running server and the requests of a program: what the tests of the API share."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from inception_model.cli.app import command
from tests.e2e.server import ROOT, free_port
from tests.openmetrics import Family, parse


@dataclass(frozen=True)
class Answer:
    """What came back: headers by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running server; its log is written to a file."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(
        self, path: str, body: bytes | None = None, method: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET, or POST where there is a body."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=60)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, dict(headers or {}))
            found = connection.getresponse()
            return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        finally:
            connection.close()

    def post(self, kind: str, photo: bytes, *options: tuple[str, str]) -> Answer:
        """A photo as the body, with options."""
        headers = {"content-type": "image/png"}
        return self.ask(f"/api/{kind}?{urlencode(options)}", photo, headers=headers)

    def metrics(self) -> dict[str, Family]:
        """Read by the grammar."""
        return parse(self.ask("/api/metrics").body.decode())

    def lines(self) -> list[dict[str, Any]]:
        """The structured lines of the log so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Raises TimeoutError where it isn't by then."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.ask("/api/ready").status == 200:
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.1)
        raise TimeoutError(self.log.read_text()[-3000:])


@contextmanager
def api_server(folder: Path, **env: str) -> Iterator[Server]:
    """Started as the command `app` does, in a folder for its log; ready."""
    port, log = free_port(), folder / "server.log"
    words = [*command("localhost", port), "--browser.gatherUsageStats=false"]
    with log.open("wb") as sink:
        process = subprocess.Popen(words, cwd=ROOT, env=os.environ | env, stdout=sink, stderr=sink)
    try:
        server = Server(port, process, log)
        server.wait_until_ready()
        yield server
    finally:
        process.kill()
        process.wait()
