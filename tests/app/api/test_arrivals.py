"""Uploaded files on their way: none stays with Streamlit, and only those that a page has announced are taken at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile, UploadedFileRec
from streamlit.testing.v1 import local_script_runner
from streamlit.web.server.starlette import starlette_routes

from app.api import metrics
from app.api.gate import Gate
from app.api.uploads import ADDRESS, ANNOUNCED, KnownUploads, Uploads
from app.state import arrivals, photos
from app.widgets import filmstrip
from inception_model.images.decode import Photo
from inception_model.serving.metrics import exposition
from tests.app.api.asgi import ask
from tests.app.shell import open_app, upload
from tests.app.widgets.test_kept_photos import hand_back, names, opened, picture


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> list[MemoryUploadedFileManager]:
    """Those that runs of a page have had, one after the other."""
    made: list[MemoryUploadedFileManager] = []

    class Kept(MemoryUploadedFileManager):
        def __init__(self, endpoint: str) -> None:
            super().__init__(endpoint)
            made.append(self)

    monkeypatch.setattr(local_script_runner, "MemoryUploadedFileManager", Kept)
    monkeypatch.setattr(arrivals, "MemoryUploadedFileManager", Kept)
    return made


def held(managers: list[MemoryUploadedFileManager]) -> list[str]:
    return [file.name for manager in managers for files in manager.file_storage.values() for file in files.values()]


def test_after_an_upload_streamlit_holds_nothing(managers: list[MemoryUploadedFileManager]) -> None:
    app = open_app()
    upload(app, ("mine.png", picture(3)), ("letter.png", b"a letter"))
    assert names(app) == ["mine.png"]
    assert held(managers) == [], "neither what was taken nor what was refused"
    back = opened()
    hand_back(back, ("0 kept.png", picture(4)))
    assert names(back) == ["kept.png"]
    assert held(managers) == []


class Ended(BaseException):
    """As Streamlit ends a run whose visitor has done something else."""


@pytest.mark.parametrize("choose", [True, False])
def test_what_a_click_cuts_short_is_taken_by_the_next_run(
    kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch, choose: bool
) -> None:
    read, ends = filmstrip.POOL.read_photo, [True]

    def cut_short(data: bytes, name: str, **_: object) -> Photo:
        if name == "b.png" and ends.pop():
            raise Ended
        return read(data, name)

    monkeypatch.setattr(filmstrip.POOL, "read_photo", cut_short)
    with pytest.raises(Ended):
        filmstrip.arrive([(picture(1), "a.png"), (picture(2), "b.png")], choose=choose)
    assert photos.uploads() == []
    ends.append(False)
    filmstrip.take_arrived()
    assert [photo.name for photo in photos.uploads()] == ["a.png", "b.png"]
    assert (photos.browser_answered(), bool(photos.upload_round())) == (not choose, choose)
    filmstrip.take_arrived()
    assert len(photos.uploads()) == 2


def test_a_fault_at_a_file_does_not_come_back_with_every_run(
    kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filmstrip.POOL, "read_photo", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        filmstrip.arrive([(picture(1), "a.png")])
    filmstrip.take_arrived()
    assert photos.uploads() == []


def test_what_was_taken_over_is_taken_once() -> None:
    """The browser names a file as long as its widget stands there; so does the camera its picture."""
    file = UploadedFile(UploadedFileRec("id", "a.jpg", "image/jpeg", b"pixels"), FileURLs())
    assert arrivals.take_over([file, DeletedFile("gone")]) == [(b"pixels", "a.jpg")]
    assert arrivals.take_over(file) == []
    assert arrivals.take_over(DeletedFile("id")) == []
    assert arrivals.take_over(None) == []


SIZE = 1000
"""Bytes of a file of these tests; a form takes somewhat more."""


class Server:
    """Streamlit's own routes for uploads behind the middleware: Ada has a place, Bob has none."""

    def __init__(self) -> None:
        self.manager = MemoryUploadedFileManager(ADDRESS.rstrip("/"))
        self.uploads = Uploads({"ada", "eve"}.__contains__, lambda: 3 * SIZE, lambda: 9 * SIZE // 2)
        self.uploads.guard(self.manager)
        runtime = SimpleNamespace(is_active_session=lambda _: True)
        routes = starlette_routes.create_upload_routes(runtime, self.manager, "")  # type: ignore[arg-type]
        self.app = Starlette(routes=routes, middleware=[Middleware(KnownUploads, uploads=self.uploads)])

    def urls(self, session: str, count: int = 1) -> list[str]:
        return [info.upload_url for info in self.manager.get_upload_urls(session, ["a.png"] * count)]

    def put(self, url: str, size: int = SIZE) -> int:
        head = b'--x\r\ncontent-disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
        form = {"content-type": "multipart/form-data; boundary=x"}
        return ask(self.app, url, "PUT", head + bytes(size) + b"\r\n--x--\r\n", form).status


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(starlette_routes, "is_xsrf_enabled", lambda: False)
    return Server()


def test_only_announced_files_of_a_page_with_a_place_are_taken(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    [own], [waiting] = server.urls("ada"), server.urls("bob")
    for invented in (f"{ADDRESS}ada/invented", own.replace("ada", "eve"), f"{ADDRESS}nobody/{own[-36:]}", waiting):
        assert server.put(invented) == 400, invented
    assert server.uploads.used == 0
    assert not any(server.manager.file_storage.values())
    assert server.put(own) == 204
    assert server.put(own) == 400, "once"
    assert server.uploads.used == SIZE
    monkeypatch.setattr(metrics, "UPLOADS", server.uploads)
    assert f"inceptionscope_upload_bytes {SIZE}\n" in exposition(metrics.families(Gate(lambda: 1), lambda: False))
    [unused] = server.urls("ada")
    server.manager.remove_session_files("ada")
    assert server.uploads.used == 0
    assert server.put(unused) == 400, "with the session go its ids"


def test_files_that_wait_to_be_taken_over_are_bounded(server: Server) -> None:
    urls = server.urls("ada", 3)
    assert [server.put(url) for url in urls] == [204, 204, 413], "of one page: the form is larger than its file"
    others = server.urls("eve", 2)
    assert [server.put(url) for url in others] == [204, 204]
    server.manager.remove_file("ada", urls[0].rpartition("/")[2])
    assert server.put(urls[2]) == 204, "what was taken over makes room"
    assert server.put(server.urls("eve")[0], SIZE // 2) == 429, "of all pages together"


def test_a_page_cannot_announce_without_end(server: Server) -> None:
    first = server.urls("ada")[0]
    assert len(server.urls("ada", 2 * ANNOUNCED)) == ANNOUNCED
    assert server.put(first) == 400
