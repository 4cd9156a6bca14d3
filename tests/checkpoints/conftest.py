"""What the files of checkpoint tests share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from torch import Tensor

from tests.checkpoints.loopback import Server
from tests.weight_files import (
    expanded,
    torchvision_network,
)


@pytest.fixture(scope="session")
def published() -> dict[str, Tensor]:
    """Names and shapes of torchvision's published file."""
    return expanded(torchvision_network().state_dict())


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on a free port of the loopback interface."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.url = f"http://127.0.0.1:{http.server_address[1]}/weights.bin"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http.shutdown()
        thread.join()
