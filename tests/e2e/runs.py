"""What page and server say to each other: whether a run that the page has asked for is still to come or to end.

The page itself shows a run from the moment on at which the server tells of it, and a busy server takes its time.
"""

from __future__ import annotations

import time
from typing import NamedTuple
from weakref import WeakKeyDictionary

from playwright.sync_api import Page, WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PART, WHOLE = 2.0, 30.0
"""Seconds for which a run of a part of the page, or of the whole, is waited for to begin: the server does not answer a
request of a part that has just gone."""


class Runs:
    """The runs of one page's script, as its messages tell them."""

    def __init__(self) -> None:
        self.asked = self.done = 0
        """Requests for a run, and how many of them the newest run that has ended knew of."""
        self.until = 0.0
        """When the newest of them counts as one that is not answered."""
        self._began = self._whole = 0
        """Requests that the newest run knew of when it began, and the newest one that was for the whole page."""
        self._socket: WebSocket | None = None

    def open(self, socket: WebSocket) -> None:
        """Listens to a connection; what an earlier one had asked for will not come any more."""
        self._socket, self.done = socket, self.asked
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)
        socket.on("close", self._closed)

    def _closed(self, socket: WebSocket) -> None:
        if socket == self._socket:
            self.done = self.asked

    def _sent(self, payload: bytes | str) -> None:
        asked = BackMsg.FromString(payload) if isinstance(payload, bytes) else BackMsg()
        if asked.WhichOneof("type") != "rerun_script":
            return
        # What repeats itself is nobody's act; the server answers nothing where that part of the page has just gone.
        if not asked.rerun_script.is_auto_rerun:
            self.asked += 1
            part = bool(asked.rerun_script.fragment_id)
            self.until = time.monotonic() + (PART if part else WHOLE)
            self._whole = self._whole if part else self.asked

    def _received(self, payload: bytes | str) -> None:
        if not isinstance(payload, bytes):
            return
        said = ForwardMsg.FromString(payload)
        kind, ended = said.WhichOneof("type"), said.script_finished
        if kind == "new_session":
            self._began = self.asked
        elif kind != "script_finished" or ended == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return
        # A part that looks twice a second how far its work is may run between a request and the whole's answer.
        elif ended != ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY or self.done >= self._whole:
            self.done = self._began


_OF: WeakKeyDictionary[Page, Runs] = WeakKeyDictionary()


def listen(page: Page) -> None:
    """From now on the page's runs are known; to be called before it opens the app."""
    if page not in _OF:
        runs = _OF[page] = Runs()
        page.on("websocket", runs.open)


class Told(NamedTuple):
    """Runs that the page has asked for, and whether one of them is still to end."""

    asked: int
    pending: bool


def told(page: Page) -> Told:
    """What is known of the page's runs; nothing where nobody listens."""
    if page not in _OF:
        return Told(0, False)
    runs = _OF[page]
    return Told(runs.asked, runs.done < runs.asked and time.monotonic() < runs.until)
