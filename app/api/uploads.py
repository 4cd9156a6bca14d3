"""What the uploaders of pages may send: files that were announced, within the visitor's and the server's memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec, UploadFileUrlInfo

from app.web import UPLOAD_BYTES

ADDRESS = "/_stcore/upload_file/"
ANNOUNCED = 500
"""Files that a page may announce before it sends them; of more, those announced first are no longer taken."""


class Uploads:
    """Stands before Streamlit's own manager of uploaded files, which takes what anybody sends under any name.

    A file is taken once, under an id that was given to a page that has a place, while all files of that page have at
    most `session_bytes` and those of everybody `all_bytes`, files on their way among them. Safe for threads.
    """

    def __init__(
        self, has_place: Callable[[str], bool], session_bytes: Callable[[], int], all_bytes: Callable[[], int]
    ) -> None:
        self._has_place, self._session_bytes, self._all_bytes = has_place, session_bytes, all_bytes
        self._manager: MemoryUploadedFileManager | None = None
        self._announced: dict[str, dict[str, None]] = {}
        self._underway: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def guard(self, manager: MemoryUploadedFileManager) -> None:
        """From now on this manager gives its ids and takes its files here."""
        issue, add, remove = manager.get_upload_urls, manager.add_file, manager.remove_session_files

        def get_upload_urls(session_id: str, file_names: Sequence[str]) -> list[UploadFileUrlInfo]:
            found = issue(session_id, file_names[-ANNOUNCED:])
            with self._lock:
                known = self._announced.setdefault(session_id, {})
                known.update(dict.fromkeys(info.file_id for info in found))
                for old in list(known)[:-ANNOUNCED]:
                    del known[old]
            return found

        def add_file(session_id: str, file: UploadedFileRec) -> None:
            with self._lock:
                if len(file.data) > self._underway.get((session_id, file.file_id), -1):
                    raise HTTPException(400, _UNKNOWN)
                self._announced.get(session_id, {}).pop(file.file_id, None)
            add(session_id, file)

        def remove_session_files(session_id: str) -> None:
            with self._lock:
                self._announced.pop(session_id, None)
            remove(session_id)

        manager.get_upload_urls = get_upload_urls  # type: ignore[method-assign]
        manager.add_file = add_file  # type: ignore[method-assign]
        manager.remove_session_files = remove_session_files  # type: ignore[method-assign]
        self._manager = manager

    @property
    def used(self) -> int:
        """Bytes of files that were sent and not yet taken over by their page."""
        return 0 if self._manager is None else sum(map(self._of, list(self._manager.file_storage)))

    @contextmanager
    def underway(self, session_id: str, file_id: str, size: int) -> Iterator[None]:
        """While a file of that size comes in. Raises HTTPException where it is not taken."""
        place = session_id, file_id
        with self._lock:
            known = file_id in self._announced.get(session_id, {})
        if not known or not self._has_place(session_id):
            raise HTTPException(400, _UNKNOWN)
        with self._lock:
            if place in self._underway or file_id not in self._announced.get(session_id, {}):
                raise HTTPException(400, _UNKNOWN)
            coming = sum(bytes_ for (session, _), bytes_ in self._underway.items() if session == session_id)
            if self._of(session_id) + coming + size > self._session_bytes():
                raise HTTPException(413, "These are more files than this server takes of one page at a time.")
            if self.used + sum(self._underway.values()) + size > self._all_bytes():
                raise HTTPException(429, "This server's memory for uploads is full: try again in a moment.")
            self._underway[place] = size
        try:
            yield
        finally:
            with self._lock:
                del self._underway[place]

    def _of(self, session_id: str) -> int:
        files = {} if self._manager is None else self._manager.file_storage.get(session_id, {})
        return sum(len(file.data) for file in list(files.values()))


_UNKNOWN = "No upload was announced under this address."


def _has_place(session_id: str) -> bool:
    from app.state import room, visitors  # torch and all; whoever has announced a file has run a page: it is there

    # After a connection that was lost for a moment nobody has come again yet.
    return visitors.is_here(session_id) and room.ROOM.enter(session_id) == 0


def _session_bytes() -> int:
    from app.state import operator

    return operator.session_bytes()


def _all_bytes() -> int:
    from app.state import operator

    return operator.photo_bytes()


UPLOADS = Uploads(_has_place, _session_bytes, _all_bytes)
"""Of this process."""


def guard_uploads() -> None:
    """To be called once the server's runtime is there, before it answers anybody."""
    manager = runtime.get_instance().uploaded_file_mgr
    if isinstance(manager, MemoryUploadedFileManager):
        UPLOADS.guard(manager)


class KnownUploads:
    """ASGI middleware: a file that is not taken is refused before it is read."""

    def __init__(self, app: Any, uploads: Uploads = UPLOADS) -> None:
        self.app, self.uploads = app, uploads

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Callable[..., Any]) -> None:
        """Passes everything else on."""
        rest = scope["path"].partition(ADDRESS)[2] if scope["type"] == "http" else ""
        session_id, _, file_id = rest.partition("/")
        if not file_id or scope["method"] != "PUT":
            await self.app(scope, receive, send)
            return
        try:
            with self.uploads.underway(session_id, file_id, _declared(scope)):
                await self.app(scope, receive, send)
        except HTTPException as refusal:
            answer = PlainTextResponse(refusal.detail, refusal.status_code, {"connection": "close"})
            await answer(scope, receive, send)


def _declared(scope: MutableMapping[str, Any]) -> int:
    """How long the body is said to be; a body of unknown length may have as much as the server takes."""
    said = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"")
    return int(said) if said.isdigit() else UPLOAD_BYTES
