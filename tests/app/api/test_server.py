"""The server around the app: readiness, headers, foreign origins and hosts, and that it connects to nobody."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser
from starlette.requests import Request

from app.server import Readiness
from app.state import network, operator
from app.web import HEADERS, UPLOAD_BYTES, is_own
from inception_model.checkpoints.checkpoint import ASSETS, BUNDLED
from inception_model.images.limits import MAX_BYTES
from tests.e2e.server import ROOT, running_app
from tests.endurance import people
from tests.endurance.faults import CLOCK, FAULTS
from tests.endurance.soak import soak
from tests.endurance.visitor import Visitor

# Runs in the server's process before anything else, and writes down whom it talks to or asks for.
WATCH = """
import contextlib, os, sys
def seen(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        where = args[0] if event.startswith("socket.get") else args[1]
        with contextlib.suppress(OSError), open(os.environ["WATCHED"], "a") as file:  # where no disk is full
            file.write(f"{event} {where}\\n")
sys.addaudithook(seen)
"""
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}
FOREIGN = "http://elsewhere.example"
WEIGHTS = "mine.safetensors"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at Linux's table of processes")

Fault = Callable[[int, Path], AbstractContextManager[None]]


@dataclass(frozen=True)
class Server:
    """A running server, and the file in which its connections are written down."""

    host: str
    port: int
    watched: Path

    @property
    def url(self) -> str:
        """Of its first page."""
        return f"http://{self.host}:{self.port}"

    @property
    def folder(self) -> Path:
        """Of its watch, and with the operator's weight file."""
        return self.watched.parent

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            # A connection that became a WebSocket has no end.
            body = b"" if answer.status == 101 else answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Started as `make app` does, known as localhost only."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "sitecustomize.py").write_text(WATCH + CLOCK)
    (folder / "weights").mkdir()
    shutil.copy(ASSETS / "checkpoints" / f"{BUNDLED}.safetensors", folder / "weights" / WEIGHTS)
    watched = folder / "connections"
    watched.write_text("")
    env = os.environ | {
        "PYTHONPATH": str(folder),
        "WATCHED": str(watched),
        "STREAMLIT_SERVER_ALLOWED_HOSTS": "localhost",
        operator.FOLDER: str(folder / "weights"),
        operator.ANSWERS: str(operator.LEAST),
    }
    with running_app(env=env) as url:
        place = urlsplit(url)
        yield Server(str(place.hostname), int(place.port or 0), watched)


@pytest.fixture(scope="module")
def staying(server: Server) -> Iterator[Visitor]:
    """Somebody who stays, whatever happens."""
    with Visitor(server.url) as visitor:
        visitor.open()
        yield visitor


def test_it_becomes_ready_when_the_network_has_answered(server: Server) -> None:
    until = time.monotonic() + 120
    while (found := server.ask("/api/ready"))[0] != 200 and time.monotonic() < until:
        assert json.loads(found[2]) == {"state": "loading"}
        time.sleep(0.1)
    assert found[0] == 200
    assert json.loads(found[2]) == {"state": "ready"}
    assert found[1]["cache-control"] == "no-store"


def test_a_network_that_cannot_be_loaded_is_told_without_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("/srv/secret/place is gone")

    monkeypatch.setattr(network, "warm", broken)
    readiness = Readiness()
    request = Request({"type": "http"})
    assert asyncio.run(readiness.answer(request)).status_code == 503
    with pytest.raises(OSError, match="is gone"):
        readiness.warm()
    answer = asyncio.run(readiness.answer(request))
    assert (answer.status_code, json.loads(bytes(answer.body))) == (503, {"state": "failed", "why": "OSError"})


@pytest.mark.parametrize("path", ["/", "/module", "/api/ready", "/_stcore/health", "/media/none", "/static/none.js"])
def test_every_answer_carries_the_headers(server: Server, path: str) -> None:
    found = server.ask(path)[1]
    assert {name: found.get(name) for name in HEADERS} == HEADERS
    assert "*" not in found.get("access-control-allow-origin", "")


def test_a_foreign_origin_is_refused(server: Server) -> None:
    own = f"http://{server.host}:{server.port}"
    assert server.ask("/_stcore/stream", {**UPGRADE, "Origin": own})[0] == 101
    assert server.ask("/_stcore/stream", {**UPGRADE, "Origin": FOREIGN})[0] == 403
    assert server.ask("/_stcore/stream", {**UPGRADE, "Origin": "null"})[0] == 403
    for method in ("POST", "PUT", "DELETE"):
        status, _, body = server.ask("/_stcore/upload_file/a/b", {"Origin": FOREIGN}, method)
        assert (status, b"another origin" in body) == (403, True), method
    status, headers, _ = server.ask("/_stcore/health", {"Origin": FOREIGN})
    assert status == 200
    assert "access-control-allow-origin" not in headers


def test_unknown_hosts_are_refused(server: Server) -> None:
    assert server.ask("/", {"Host": "rebound.example"})[0] == 400
    assert server.ask("/", {"Host": f"localhost:{server.port}"})[0] == 200


@linux
def test_visitors_at_once_get_their_own_answers_and_leave_nothing_behind(server: Server) -> None:
    """The short form of `make soak`; its visitors are those of `make crowd`."""
    test_it_becomes_ready_when_the_network_has_answered(server)
    found = soak(server.url, looks=3, sessions=3, patient=False)
    assert len({str(told.cards) for told in found.told}) == 3
    assert found.faults() == []
    assert "heads" in people.wrong(people.Told(0, {}, None, 0))
    swapped = people.Told(found.told[0].number + 1, found.told[0].cards, None, 0)
    assert "is right" in people.wrong(swapped)


@linux
@pytest.mark.parametrize("fault", FAULTS)
def test_others_go_on_when_something_breaks(server: Server, staying: Visitor, fault: Fault) -> None:
    number = 1001 + 2 * FAULTS.index(fault)  # odd: decoded in a process
    with fault(int((server.folder / "pid").read_text()), server.folder):
        told = people.look(staying, number, explained=False)
    assert not people.wrong(told)
    assert staying.problems == []


@linux
def test_weights_that_are_removed_take_nothing_from_anybody(server: Server, staying: Visitor) -> None:
    with Visitor(server.url) as choosing:
        choosing.open(query=f"checkpoint={WEIGHTS}")
        assert choosing.network == WEIGHTS
        (server.folder / "weights" / WEIGHTS).unlink()
        assert not people.wrong(people.look(choosing, 2001, explained=False))
        assert choosing.network == BUNDLED
        assert choosing.problems == []
    assert not people.wrong(people.look(staying, 2003, explained=False))


def test_the_running_server_connects_to_nobody(server: Server) -> None:
    test_it_becomes_ready_when_the_network_has_answered(server)
    for origin in (FOREIGN, "http://203.0.113.7:8501", "null"):
        server.ask("/_stcore/stream", {**UPGRADE, "Origin": origin})
        server.ask("/_stcore/host-config", {"Origin": origin})
        server.ask("/_stcore/upload_file/a/b", {"Origin": origin}, "PUT")
    seen = server.watched.read_text().splitlines()
    outside = [line for line in seen if not any(own in line for own in ("localhost", "127.0.0.1", "'::1'", "None"))]
    assert not outside


def test_uploads_are_never_spooled_to_the_disk() -> None:
    """A form as the uploader sends it, with the largest photo that the app takes."""
    settings = tomllib.loads((ROOT / "app" / ".streamlit" / "config.toml").read_text())
    assert MAX_BYTES <= settings["server"]["maxUploadSize"] * 2**20 <= UPLOAD_BYTES
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'

    async def stream() -> AsyncIterator[bytes]:
        yield head
        for _ in range(MAX_BYTES // 2**20):
            yield bytes(2**20)
        yield b"\r\n--x--\r\n"

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})
    form = asyncio.run(MultiPartParser(headers, stream()).parse())
    file = form["f"]
    assert isinstance(file, UploadFile)
    assert file.size == MAX_BYTES
    assert file._in_memory
    file.file.close()


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        (None, "a.example", True),
        ("https://a.example", "a.example", True),
        ("https://A.example", "a.EXAMPLE", True),
        ("https://a.example", "a.example:8501", False),
        ("https://a.example.evil.example", "a.example", False),
        ("https://evil.example/a.example", "a.example", False),
        ("null", "a.example", False),
        ("null", None, False),
        ("", "", False),
        ("http://[", "a.example", False),
        ("http://[", "[", False),
    ],
)
def test_an_origin_is_own_if_it_is_the_address_that_was_asked(origin: str | None, host: str | None, own: bool) -> None:
    assert is_own(origin, host) is own
