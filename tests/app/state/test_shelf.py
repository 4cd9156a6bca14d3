"""Photos in memory: bounded for each visitor and for all of them, with a sentence for whoever loses one."""

from __future__ import annotations

import gc
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.state import network, operator, photos, shelf
from app.state.shelf import PHOTOS
from app.widgets import filmstrip
from inception_model.images.decode import Photo, read_photo
from inception_model.serving.sizes import bytes_of
from tests.app.asking import good
from tests.app.shell import captions, open_app, upload

SIDE = 100
SIZE = SIDE * SIDE * 4
"""What Pillow keeps of such a picture: four bytes for each pixel."""


def file_of(number: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def mine(number: int) -> Photo:
    return read_photo(file_of(number), f"{number}.png")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`room(n)`: from now on there is memory for so many such photos of all visitors."""
    gc.collect()
    before = PHOTOS.used
    assert before < 64 * operator.MEGABYTE, "other tests leave few photos behind"

    def limit(count: int) -> None:
        monkeypatch.setattr(PHOTOS, "limit", PHOTOS.used + count * (SIZE + 2000))

    return limit


def session_of(kept: dict[str, Any]) -> dict[str, Any]:
    """Another visitor's session: what the first one keeps is put aside and returned."""
    aside = dict(kept)
    kept.clear()
    return aside


def test_the_oldest_photo_of_all_visitors_gives_way_and_its_owner_is_told(
    kept: dict[str, Any], room: Callable[[int], None]
) -> None:
    room(3)
    first, second = photos.add_photo(mine(1)), photos.add_photo(mine(2))
    photos.select_photo(first.sha256)
    assert photos.first_photo() == first, "looking at it makes it younger than the second"
    ada = session_of(kept)
    for number in (3, 4):
        photos.add_photo(mine(number))
    assert photos.given_way() == []
    assert [photo.name for photo in photos.uploads()] == ["4.png", "3.png"]
    kept.clear()
    kept.update(ada)
    assert photos.given_way() == [second.name]
    assert photos.uploads() == [first]
    assert photos.first_photo() == first
    photos.forget_problems()
    assert photos.given_way() == []
    assert photos.keep_photo(mine(2)) is None, "it can come again"
    assert [photo.name for photo in photos.uploads()] == ["2.png", "1.png"]


def test_a_photo_that_is_looked_at_and_gave_way_is_no_link_to_one_that_never_was(
    kept: dict[str, Any], room: Callable[[int], None]
) -> None:
    room(1)
    photos.add_photo(mine(5))
    aside = session_of(kept)
    photos.add_photo(mine(6))
    kept.clear()
    kept.update(aside)
    assert photos.given_way() == ["5.png"]
    assert photos.first_photo() == photos.photos()[0], "a sample stands in"
    assert photos.missing_photos() == []
    photos.forget_problems()
    assert photos.missing_photos() == []
    assert kept["photo"] is None


def test_with_the_session_its_photos_leave_the_memory(kept: dict[str, Any]) -> None:
    gc.collect()
    before = PHOTOS.used
    for number in range(7, 12):
        photos.add_photo(mine(number))
    assert PHOTOS.used - before == sum(bytes_of(photo) for photo in photos.uploads()) >= 5 * SIZE
    kept.clear()
    gc.collect()
    assert PHOTOS.used == before


def test_a_photo_goes_without_waiting_for_whoever_is_at_the_shelf(kept: dict[str, Any]) -> None:
    """Its finalizer may run in the very thread that holds the lock."""
    gc.collect()
    before = PHOTOS.used
    photos.add_photo(mine(19))
    with PHOTOS._lock:
        going = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
        going.start()
        going.join(10)
        assert not going.is_alive()
    assert PHOTOS.used == before


def test_a_visitors_photos_stay_within_their_bytes(kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "session_bytes", lambda: int(2.5 * SIZE))
    photos.add_photo(mine(12))
    photos.add_photo(mine(13))
    files = [(file_of(number), f"{number}.png") for number in (14, 13, 15)]
    assert filmstrip.take(files) == 1, "the one that is there already"
    assert [photo.name for photo in photos.uploads()] == ["13.png", "12.png"], "none goes for another"
    assert kept["problems"] == [
        "2 photos were not taken, because your photos may take 0 MB of this server's memory and none is dropped for "
        "another: 14.png, 15.png. Take your photos away to begin again."
    ]


def test_the_page_says_which_photo_gave_way(room: Callable[[int], None]) -> None:
    app = open_app()
    upload(app, ("mine *.png", file_of(16)))
    assert "mine *.png" in captions(app)
    PHOTOS.drop(app.session_state["scope.uploads"][0].place)
    good(app.run())
    said = [warning.value for warning in app.warning]
    assert said == [
        "This server's memory for photos is full, so the oldest gave way: mine \\*.png. Drop the same file again to "
        "look at it."
    ]
    good(app.switch_page("views/why/page.py").run())
    assert [warning.value for warning in app.warning][:1] == said, "on every page"
    upload(good(app.switch_page("views/look/page.py").run()), ("mine *.png", file_of(16)))
    assert not app.warning


def limits() -> tuple[int, int, int, int]:
    return operator.answer_bytes(), operator.photo_bytes(), operator.session_bytes(), operator.networks()


def test_the_operator_sets_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (shelf.ANSWERS.limit, PHOTOS.limit) == (limits()[0], limits()[1])
    names = (operator.ANSWERS, operator.PHOTOS, operator.SESSION, operator.NETWORKS)
    for number, name in enumerate(names, 64):
        monkeypatch.setenv(name, f" {number} ")
    assert limits() == (64 * 2**20, 65 * 2**20, 66 * 2**20, 67)
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text()
    monkeypatch.undo()
    for name, number in zip(names, [*(limit >> 20 for limit in limits()[:3]), limits()[3]], strict=True):
        assert f"`{name}` ({number})" in readme
    for wrong in ("0", "63", "-100", "many", "100.5"):
        monkeypatch.setenv(operator.SESSION, wrong)
        with pytest.raises(
            ValueError, match=f"INCEPTIONSCOPE_SESSION_MB is '{wrong}'; it must be a whole number, 64 at least"
        ):
            operator.session_bytes()


def test_what_the_app_remembers_of_networks_is_bounded_in_bytes() -> None:
    """All networks of the process and the pictures of the filmstrip share one cache; nothing else keeps answers."""
    root = Path(__file__).resolve().parents[3] / "app"
    bounded_in_entries = [path.name for path in root.rglob("*.py") if "@st.cache" in path.read_text()]
    assert not bounded_in_entries
    service = network._service_of(network._DEFAULT)
    before = shelf.ANSWERS.used
    found = service.look(mine(17))
    assert shelf.ANSWERS.used - before == bytes_of(found) > 2**20
