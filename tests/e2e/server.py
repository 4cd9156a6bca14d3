"""The real app as a process of its own: what the browser tests, the benchmarks and the screenshots talk to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the app did not start (exit status {process.poll()}):\n{log.read_text()[-4000:]}")


def read_when_ready(address: str) -> bytes:
    """What stands there once the server doesn't answer 503 any more."""
    until = time.monotonic() + 100
    while True:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > until:
                raise
            time.sleep(0.2)


@contextmanager
def serving(
    command: list[str], url: str, *, seconds: float = 120.0, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> Iterator[str]:
    """Starts a command that serves the app at that address, yields the address, and ends the whole process group."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "app.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
        try:
            _wait_until_healthy(url, process, log, seconds)
            yield url
        finally:
            _end(process)


@contextmanager
def running_app(
    script: str = "app/server.py", *, seconds: float = 120.0, env: dict[str, str] | None = None
) -> Iterator[str]:
    """Starts Streamlit on a free port, yields the address, and ends the whole process group."""
    port = free_port()
    url = f"http://localhost:{port}"
    command = [sys.executable, "-m", "streamlit", "run", script]
    options = {
        "server.address": "localhost",
        "server.port": port,
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
        # The app hides details from visitors; a failing test should show them.
        "client.showErrorDetails": "full",
    }
    command += [f"--{name}={value}" for name, value in options.items()]
    with serving(command, url, seconds=seconds, env=env):
        yield url


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=5)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return
