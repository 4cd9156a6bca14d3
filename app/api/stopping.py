"""The server's end on SIGTERM: what runs is finished, new work is refused, and it is over within 10 seconds."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from types import FrameType
from typing import Any

from app.api import log
from app.api.gate import Gate
from inception_model.serving.ending import STOPPING

FINISH_SECONDS = 6.0
"""What runs may go on for so long; then it is given up, and whoever waits for it is told."""
LAST_SECONDS = 8.5
"""After so long the process ends, whatever it does."""
_LOOK_SECONDS = 0.05


class Stopping:
    """Puts itself before the server's own handling of SIGTERM.

    The gate is closed at once, so that readiness fails and nothing else comes in, while the server still answers. Once
    nothing runs, or after FINISH_SECONDS, the server ends as it would have; a second signal makes it do so at once.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._signalled = threading.Event()
        self._before: Callable[[int, FrameType | None], Any] | None = None

    def begin(self) -> None:
        """To be called once the server handles signals itself; does nothing on another thread than the main one."""
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGTERM)
        if callable(before):
            self._before = before
            threading.Thread(target=self._goodbye, daemon=True, name="goodbye").start()
            signal.signal(signal.SIGTERM, self._asked)

    def _asked(self, sign: int, frame: FrameType | None) -> None:
        if self._gate.closed:
            self._end()
            return
        # Nothing here may wait for a lock that the main thread may hold: starting a thread would.
        self._gate.closed = True
        self._signalled.set()

    def _goodbye(self) -> None:
        self._signalled.wait()
        STOPPING.set()  # pages stay connected, and begin nothing else
        started = time.monotonic()
        log.say("stopping", inside=self._gate.inside, running=_running())
        while (self._gate.inside or _running()) and time.monotonic() < started + FINISH_SECONDS:
            time.sleep(_LOOK_SECONDS)
        log.say("stopped", unfinished=self._gate.inside, seconds=round(time.monotonic() - started, 2))
        _give_up()
        self._end()
        time.sleep(max(0.0, started + LAST_SECONDS - time.monotonic()))
        os._exit(128 + signal.SIGTERM)  # something holds the process; the decoders end with its pipes

    def _end(self) -> None:
        if self._before is not None:
            self._before(signal.SIGTERM, None)


class NoNewPages:
    """ASGI middleware: no page connects any more once the gate is closed."""

    def __init__(self, app: Any, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Callable[..., Any]) -> None:
        """Passes everything else on."""
        if scope["type"] == "websocket" and self.gate.closed:
            await receive()
            await send({"type": "websocket.close", "code": 1012, "reason": "the server is being stopped"})
            return
        await self.app(scope, receive, send)


def _give_up() -> None:
    """Whatever still runs stops at its next module, and nothing waits for it to do so."""
    network = sys.modules.get("app.state.network")
    for service in network.NETWORKS.services() if network is not None and hasattr(network, "NETWORKS") else ():
        threading.Thread(target=service.shutdown, daemon=True).start()


def _running() -> int:
    """Calculations on the networks' workers; none before the network was loaded."""
    network = sys.modules.get("app.state.network")
    return 0 if network is None or not hasattr(network, "working") else int(network.working()[0])
