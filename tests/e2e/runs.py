"""What page and server say to each other: whether a run that the page has asked for is still to come or to end.

The page itself shows a run from the moment on at which the server tells of it, and a busy server takes its time.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from playwright.sync_api import Page, WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


class Runs:
    """The runs of one page's script, as its messages tell them."""

    def __init__(self) -> None:
        self.asked = self.done = 0
        """Requests for a run, and how many of them the newest run that has ended knew of."""
        self._began = 0
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
        if isinstance(payload, bytes) and BackMsg.FromString(payload).WhichOneof("type") == "rerun_script":
            self.asked += 1

    def _received(self, payload: bytes | str) -> None:
        if not isinstance(payload, bytes):
            return
        said = ForwardMsg.FromString(payload)
        kind = said.WhichOneof("type")
        if kind == "new_session":
            self._began = self.asked
        elif kind == "script_finished" and said.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self.done = self._began


_OF: WeakKeyDictionary[Page, Runs] = WeakKeyDictionary()


def listen(page: Page) -> None:
    """From now on the page's runs are known; to be called before it opens the app."""
    if page not in _OF:
        runs = _OF[page] = Runs()
        page.on("websocket", runs.open)


def told(page: Page) -> tuple[int, int]:
    """Requests for a run, and how many of them the newest run that has ended knew of; none where nobody listened."""
    return (_OF[page].asked, _OF[page].done) if page in _OF else (0, 0)
