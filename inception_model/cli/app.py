"""`app`: starts the app on this machine and opens it in the browser."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parents[2] / "app" / "server.py"
"""The app's package lies beside this one, in a checkout as well as where both are installed."""

SECONDS = 120.0
"""How long the server may take to answer before the browser is not opened any more."""


def add_parser(subparsers: Any) -> None:
    """Registers the command."""
    parser = subparsers.add_parser("app", help="start the app and open it in the browser (what no command at all does)")
    parser.add_argument("--host", default="localhost", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (default 8501)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the server until it is stopped; returns its status."""
    if not 0 < args.port < 65536:
        raise ValueError(f"--port must be from 1 to 65535; got {args.port}")
    _require_free(args.host, args.port)
    url = address(args.host, args.port)
    with subprocess.Popen(command(args.host, args.port)) as server, _passing_on_sigterm(server):
        if not args.no_browser:
            threading.Thread(target=_open_when_ready, args=(url, server), daemon=True).start()
        try:
            return server.wait()
        except KeyboardInterrupt:  # the server got it as well and ends by itself
            return server.wait()


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds the app; one that listens everywhere is found as localhost."""
    name = _name(host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def command(host: str, port: int) -> list[str]:
    """How the server is started; everything else is said in the configuration beside the app's script.

    Python's -P keeps a folder called `app` in the working directory from being taken for this project's.
    """
    settings = {
        "server.address": host,
        "server.port": port,
        # Otherwise Streamlit asks for an e-mail address on the first start, and an outside service for its own address.
        "server.headless": "true",
        "browser.serverAddress": "localhost",
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(SCRIPT), *flags]


def _name(host: str) -> str:
    return "localhost" if host in ("0.0.0.0", "::") else host


def _require_free(host: str, port: int) -> None:
    """Raises ValueError where the server can't listen, or where the browser would find somebody else's server."""
    # Streamlit tells the two families apart like this.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        _bind(host, port, family)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ValueError(f"can't listen on --host {host} --port {port}: {error.strerror}") from None
        raise _taken(port) from None
    # A browser may try localhost as ::1 first; a family that this machine lacks has no server either.
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            _bind(_name(host), port, family)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _taken(port) from None


def _bind(host: str, port: int, family: socket.AddressFamily) -> None:
    """Takes all addresses of the host for a moment; raises OSError where there is none, or where that can't be done."""
    for each in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name != "nt":  # there it would allow what somebody else listens on
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(each[4])


def _taken(port: int) -> ValueError:
    return ValueError(f"port {port} is taken; `--port {port + 99 if port + 99 < 65536 else 8501}` takes another")


@contextlib.contextmanager
def _passing_on_sigterm(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whoever ends this process (a service manager, a script) means the server, which would otherwise go on alone."""
    before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open_when_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    waited = threading.Event()
    for _ in range(int(SECONDS / 0.25)):
        if server.poll() is not None:
            return
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
            if answer.status == 200:
                webbrowser.open(url)
                return
        waited.wait(0.25)
