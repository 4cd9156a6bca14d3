"""Photos that the browser hands back after a reload: taken as uploads are, and nothing of them on the server's disk."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.state.photos import MAX_KEPT_BYTES, MAX_UPLOADS
from inception_model.images.samples import sample_photo
from tests.app.asking import good
from tests.app.shell import captions, drawn, encoded, open_app, upload
from tests.app.state.test_links import opened

SECURITY = Path(__file__).resolve().parents[3] / "SECURITY.md"
BACK = "kept-photos-files"


def picture(shade: int) -> bytes:
    return encoded(Image.new("RGB", (40, 40), (shade, 90, 60)))


def hand_back(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader(key=BACK).set_value([(name, data, "image/png") for name, data in files])
    return good(app.run())


def names(app: AppTest) -> list[str]:
    return [photo.name for photo in app.session_state["scope.uploads"]]


def asks_the_browser(app: AppTest) -> bool:
    return any(uploader.key == BACK for uploader in app.file_uploader)


def test_photos_come_back_in_their_order_and_choose_nothing() -> None:
    app = opened(photo="rocket")
    assert asks_the_browser(app)
    files = {"1 b 2.png": 2, "10 k.png": 10, "unplaced.png": 4, "0 a.png": 0}
    hand_back(app, *((name, picture(shade)) for name, shade in files.items()))
    assert names(app) == ["a.png", "b 2.png", "k.png", "unplaced.png"]
    assert app.session_state["scope.photo"] == sample_photo("rocket").sha256
    assert not asks_the_browser(app)


def test_the_photo_that_the_address_names_is_looked_at_again() -> None:
    mine = upload(open_app(), ("mine.png", picture(7)))
    named = mine.query_params["photo"]
    again = opened(photo=named[-1] if isinstance(named, list) else named)
    assert "mine.png" not in drawn(again) + captions(again)
    hand_back(again, ("0 mine.png", picture(7)))
    assert "mine.png" in captions(again)
    assert "Uploads are never part of a link" not in drawn(again)


def test_what_comes_back_is_checked_like_an_upload() -> None:
    many = [(f"{n} p{n}.png", picture(n)) for n in range(MAX_UPLOADS + 2)]
    app = hand_back(open_app(), ("0 torn.png", picture(3)[:60]), ("0 letter.png", b"a letter"), *many)
    assert len(names(app)) == MAX_UPLOADS
    said = " ".join(error.value for error in app.error)
    assert all(word in said for word in ("torn.png", "letter.png", "2 photos were not taken"))


def test_taking_photos_away_tells_the_browser_and_is_there_from_the_first_photo_on() -> None:
    app = open_app()
    assert not [button for button in app.button if button.key == "clear-uploads"]
    upload(app, ("mine.png", picture(5)))
    app.session_state["scope.browser.left"] = ["old<b>.png"]
    good(app.run())
    assert f"keeps at most {MAX_KEPT_BYTES >> 20} MB of your photos: old&lt;b&gt;.png." in drawn(app)
    good(app.button(key="clear-uploads").click().run())
    assert names(app) == []
    assert app.session_state["scope.removals"] == 1
    assert "Gone after a reload" not in drawn(app)


WRITTEN: list[str] | None = None


def _watch(event: str, details: tuple[object, ...]) -> None:
    if WRITTEN is not None and event == "open" and details[0] != os.devnull:
        mode, flags = details[1], details[2]
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (
            isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        ):
            WRITTEN.append(str(details[0]))


def test_no_photo_is_written_to_the_servers_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sys.addaudithook(_watch)
    app = open_app()
    written: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "WRITTEN", written)
    upload(app, ("mine.png", picture(9)))
    hand_back(app, ("0 kept.png", picture(11)))
    assert names(app) == ["kept.png", "mine.png"]
    assert written == []
    (tmp_path / "seen").write_text("the hook sees what is written")
    assert written == [str(tmp_path / "seen")]


def test_what_is_said_about_the_browser_is_so() -> None:
    said = " ".join(SECURITY.read_text().split())
    assert f"at most {MAX_UPLOADS} photos and {MAX_KEPT_BYTES >> 20} MB" in said
    assert 'until "Take my photos away" is pressed' in said
