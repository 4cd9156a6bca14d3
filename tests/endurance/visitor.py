"""A visitor without a browser: a page of the running app over its own WebSocket, uploads over HTTP, as a browser does.

with Visitor("http://localhost:8501") as visitor:
    visitor.open()
    visitor.upload("cat.png", data)
    visitor.cards()["main"]
    visitor.explain()
"""

from __future__ import annotations

import contextlib
import http.client
import re
import time
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs, UploadedFileInfo
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect
from websockets.typing import Subprotocol

PATIENCE = 120.0
"""Seconds that a visitor waits for an answer."""
XSRF = "_streamlit_xsrf"
UPLOADER = "Drop a photo or choose some"

Card = tuple[tuple[str, str], ...]
"""What a head's card says: WordNet id and logit, as printed, of its first classes."""


class PageError(AssertionError):
    """The app showed an error, or did not show what it had to."""


class Visitor:
    """One page. `problems`: sentences in red that the app shows at the moment."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host = f"{place.hostname}:{place.port}"
        self._closing = contextlib.ExitStack()
        address = f"ws://{self._host}/_stcore/stream"
        self._line = self._closing.enter_context(
            connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None, open_timeout=PATIENCE)
        )
        self._shown: dict[tuple[int, ...], Element] = {}
        self._again: dict[str, tuple[float, float]] = {}
        self._page = self._page_hash = self._session = ""
        self._at: str | None = None
        self._query = ""
        self._urls: dict[str, FileURLs] = {}
        self._finished = self.turned_away = 0
        self._idle = True

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def open(self, page: str = "", query: str = "") -> None:
        """Goes to a page by its address (`why`, `checkpoint=NAME`); the first one without. Returns when it is drawn."""
        self._page, self._page_hash, self._query = page, "", query
        self._rerun(lambda: self._at == page)

    def upload(self, name: str, data: bytes) -> None:
        """Drops a file on the page Look; returns when the page is drawn with it. Raises PageError where it says no."""
        uploader = self._uploader()
        asked = uuid.uuid4().hex
        message = BackMsg()
        message.file_urls_request.request_id = asked
        message.file_urls_request.session_id = self._session
        message.file_urls_request.file_names.append(name)
        self._line.send(message.SerializeToString())
        self._until(lambda: asked in self._urls)
        urls = self._urls.pop(asked)
        self._put(urls.upload_url, name, data)
        state = WidgetState(id=uploader)
        info = UploadedFileInfo(name=name, size=len(data), file_id=urls.file_id, file_urls=urls)
        state.file_uploader_state_value.uploaded_file_info.append(info)
        # What was taken leaves the uploader: the next one is another.
        self._rerun(lambda: self._uploader() not in ("", uploader), state)
        if problems := self.problems:
            raise PageError(problems[0])

    def cards(self) -> dict[str, Card]:
        """What the three heads' cards say on the page Look, by head."""
        bodies = [e.html.body for e in self._elements("html") if 'class="scope-heads"' in e.html.body]
        if len(bodies) != 1:
            raise PageError(f"{len(bodies)} times three heads on the page")
        sections = re.findall(r'<section [^>]*aria-label="(\w+)">(.*?)</section>', bodies[0], flags=re.S)
        return {head: tuple(re.findall(r"\((\w+)\), logit ([+-][\d.]+)", text)) for head, text in sections}

    def explain(self) -> str:
        """Goes to the page Why and waits for its map; returns the score that it explains, as the page prints it.

        Where the page says that the queue is full it presses "Start again" after a moment: `turned_away` counts that.
        """
        self.open("why")
        deadline = time.monotonic() + PATIENCE
        while True:
            self._until(lambda: bool(self._scores() or self._offers()), deadline)
            if scores := self._scores():
                return scores[0]
            self.turned_away += 1
            time.sleep(1)
            self._rerun(lambda: True, WidgetState(id=self._offers()[0], trigger_value=True))

    @property
    def problems(self) -> list[str]:
        """Errors on the page."""
        return [e.alert.body for e in self._elements("alert") if e.alert.format == e.alert.ERROR]

    @property
    def network(self) -> str:
        """The checkpoint that the sidebar shows as chosen."""
        [box] = [e.selectbox for e in self._elements("selectbox") if e.selectbox.label == "Checkpoint"]
        return str(box.raw_value if box.set_value else box.options[box.default])

    def _uploader(self) -> str:
        found = [e.file_uploader.id for e in self._elements("file_uploader") if e.file_uploader.label == UPLOADER]
        return found[0] if found else ""

    def _scores(self) -> list[str]:
        """Beside a map stands what it adds up to; as long as it is calculated, nothing does."""
        found = (re.search(r"<span>score</span><div>([+-][\d.]+) ", e.html.body) for e in self._elements("html"))
        return [match[1] for match in found if match]

    def _offers(self) -> list[str]:
        """The button that asks for the map once more, as long as it is on the page."""
        return [e.button.id for e in self._elements("button") if e.button.id.endswith("-start-why-map")]

    def _elements(self, kind: str) -> Iterator[Element]:
        return (element for element in self._shown.values() if element.WhichOneof("type") == kind)

    def _put(self, path: str, name: str, data: bytes) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request("GET", "/_stcore/health")
            answer = connection.getresponse()
            answer.read()
            token = re.search(rf"{XSRF}=([^;]+)", answer.getheader("set-cookie") or "")
            head = f'--x\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
            headers = {"content-type": "multipart/form-data; boundary=x"}
            if token is not None:
                headers |= {"X-Xsrftoken": token[1], "Cookie": f"{XSRF}={token[1]}"}
            connection.request("PUT", path, head + data + b"\r\n--x--\r\n", headers)
            if (status := connection.getresponse().status) != 204:
                raise PageError(f"the upload was answered with {status}")
        finally:
            connection.close()

    def _rerun(self, done: Callable[[], bool], *states: WidgetState) -> None:
        """Runs the script, and waits until a run has ended and has done it: one before may have been under way."""
        before = self._finished
        self._ask_for_run("", *states)
        self._until(lambda: self._finished > before and self._idle and done())

    def _ask_for_run(self, fragment: str, *states: WidgetState) -> None:
        message = BackMsg()
        run = message.rerun_script
        run.page_name, run.page_script_hash = self._page, self._page_hash
        run.query_string = self._query
        run.widget_states.widgets.extend(states)
        run.fragment_id, run.is_auto_rerun = fragment, bool(fragment)
        self._line.send(message.SerializeToString())

    def _until(self, condition: Callable[[], bool], deadline: float | None = None) -> None:
        """Takes what the server sends, and looks again as often as it asks for, until the condition holds."""
        deadline = deadline or time.monotonic() + PATIENCE
        while not condition():
            now = time.monotonic()
            if now > deadline:
                raise PageError(f"nothing came within {PATIENCE:g} seconds")
            due = min((at for at, _ in self._again.values()), default=deadline)
            try:
                data = self._line.recv(timeout=max(0.01, min(due, deadline) - now))
            except TimeoutError:
                self._look_again()
                continue
            message = ForwardMsg()
            message.ParseFromString(data)
            self._take(message)

    def _look_again(self) -> None:
        for fragment, (at, every) in list(self._again.items()):
            if at <= time.monotonic():
                self._again[fragment] = (time.monotonic() + every, every)
                self._ask_for_run(fragment)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            if session := message.new_session.initialize.session_id:
                self._session = session
            if not message.metadata.run.fragment_ids:
                self._shown.clear()
                self._again.clear()
                self._idle = False
        elif kind == "delta":
            if message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                self._shown[tuple(message.metadata.delta_path)] = element
                if element.WhichOneof("type") == "exception":
                    raise PageError(element.exception.message)
        elif kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self._finished += 1
                self._idle = True
        elif kind == "auto_rerun":
            every = message.auto_rerun.interval
            self._again[message.auto_rerun.fragment_id] = (time.monotonic() + every, every)
        elif kind == "navigation":
            there = message.navigation
            self._page_hash = there.page_script_hash
            pages = (page for page in there.app_pages if page.page_script_hash == there.page_script_hash)
            self._at = next(("" if page.is_default else page.url_pathname for page in pages), None)
        elif kind == "file_urls_response":
            answer = message.file_urls_response
            if answer.error_msg:
                raise PageError(answer.error_msg)
            self._urls[answer.response_id] = answer.file_urls[0]
