"""The browser keeps its user's own photos for a reload, gives them to nobody else, and forgets them when told to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from app.state.photos import MAX_KEPT_BYTES
from inception_model.images.decode import MAX_BYTES

from . import screen
from .conftest import OpenPage
from .pictures import photo

REFUSED = """Object.defineProperty(window, "indexedDB", {
  get() { throw new DOMException("The operation is insecure.", "SecurityError"); },
});"""

SILENT = "IDBFactory.prototype.open = () => ({});"

PLAIN_HTTP = "Object.defineProperty(window.crypto, 'subtle', { value: undefined });"

# Names of what the browser keeps, newest first.
KEPT = """() => new Promise((done, fail) => {
  const opening = indexedDB.open("inceptionscope", 1);
  opening.onerror = () => fail(opening.error);
  opening.onsuccess = () => {
    const base = opening.result;
    const all = base.transaction("photos").objectStore("photos").getAll();
    all.onsuccess = () => { base.close(); done(all.result.sort((a, b) => b.time - a.time).map(({ name }) => name)); };
  };
})"""


def kept(page: Page, *names: str) -> None:
    """The browser comes to keep these photos, newest first, and no other."""
    page.wait_for_function(f"names => ({KEPT})().then((found) => String(found) === String(names))", arg=list(names))


def own(page: Page, names: list[str]) -> None:
    """The filmstrip begins with these photos of the user's, and the samples follow."""
    found = page.get_by_role("button", name=re.compile("^look at "))
    expect(found.nth(len(names))).to_have_accessible_name("look at cat")
    for place, name in enumerate(names):
        expect(found.nth(place)).to_have_accessible_name(f"look at {name}")


def sentence(page: Page) -> Locator:
    return page.get_by_text("This link was made with an uploaded photo")


def test_a_reload_keeps_the_photos_and_the_answer(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, app_url)
    screen.upload(page, "first.png", photo("cat", 90))
    screen.send(page, ("launch.png", photo("rocket")), ("cup.png", photo("espresso")))
    kept(page, "launch.png", "cup.png", "first.png")
    said, address = screen.answers(page), page.url
    screen.reload(page)
    expect(screen.film(page, "launch.png")).to_have_attribute("aria-pressed", "true")
    screen.settle(page)
    own(page, ["launch.png", "cup.png", "first.png"])
    assert screen.answers(page) == said
    assert page.url == address
    expect(sentence(page)).to_have_count(0)

    screen.click(screen.film(page, "cup.png"))
    screen.go(page, "Module")
    expect(page.get_by_role("img", name=re.compile("cup.png")).first).to_be_visible()
    screen.reload(page)
    expect(page.get_by_role("img", name=re.compile("cup.png")).first).to_be_visible()
    assert page.evaluate("history.length") == 6  # blank, the app, two uploads, a photo, a page

    screen.go(page, "Look")
    own(page, ["launch.png", "cup.png", "first.png"])


def test_what_was_taken_away_does_not_come_back(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, app_url)
    screen.upload(page, "launch.png", photo("rocket"))
    kept(page, "launch.png")
    screen.reload(page)
    expect(screen.film(page, "launch.png")).to_have_attribute("aria-pressed", "true")
    screen.click(page.get_by_role("button", name="Take my photos away", exact=True))
    kept(page)
    own(page, [])
    screen.reload(page)
    own(page, [])
    again = page.context.new_page()
    screen.open_app(again, app_url)
    own(again, [])
    expect(again.get_by_role("button", name="Take my photos away", exact=True)).to_have_count(0)


def test_a_link_carries_no_photo_and_a_browser_without_a_store_works(new_page: OpenPage, app_url: str) -> None:
    mine = new_page()
    screen.open_app(mine, app_url)
    screen.upload(mine, "launch.png", photo("rocket"))
    said = screen.answers(mine)

    other = new_page()
    other.add_init_script(REFUSED)
    screen.open_app(other, mine.url)
    expect(sentence(other)).to_be_visible()
    expect(sentence(other)).to_contain_text("Uploads are never part of a link")
    own(other, [])
    screen.click(screen.film(other, "espresso"))
    expect(screen.film(other, "espresso")).to_have_attribute("aria-pressed", "true")
    expect(sentence(other)).to_have_count(0)
    screen.upload(other, "launch.png", photo("rocket"))
    assert screen.answers(other) == said
    screen.reload(other)
    expect(sentence(other)).to_be_visible()
    own(other, [])


@pytest.mark.parametrize("store", [SILENT, PLAIN_HTTP])
def test_a_store_that_does_not_answer_keeps_nobody_waiting(new_page: OpenPage, app_url: str, store: str) -> None:
    page = new_page()
    page.add_init_script(store)
    screen.open_app(page, f"{app_url}?photo=0123456789ab")
    expect(sentence(page)).to_be_visible()
    screen.upload(page, "launch.png", photo("rocket"))
    screen.reload(page)
    expect(sentence(page)).to_be_visible()
    own(page, [])


def test_the_oldest_photos_find_no_room_and_are_named(new_page: OpenPage, app_url: str, tmp_path: Path) -> None:
    page = new_page()
    screen.open_app(page, app_url)
    size = MAX_BYTES - 2**20
    assert 3 * size < MAX_KEPT_BYTES < 4 * size
    for number in range(4):
        picture = photo("rocket", 90 * number)
        file = tmp_path / f"p{number}.png"
        file.write_bytes(picture + bytes(size - len(picture)))
        screen.send(page, file)
        expect(screen.film(page, file.name)).to_have_attribute("aria-pressed", "true")
        screen.settle(page)  # the transfer of a large file may have begun after the page was at rest
    kept(page, "p3.png", "p2.png", "p1.png")
    expect(page.get_by_text("Gone after a reload, because this browser keeps at most 64 MB")).to_contain_text("p0.png.")
    screen.reload(page)
    expect(screen.film(page, "p3.png")).to_have_attribute("aria-pressed", "true")
    own(page, ["p3.png", "p2.png", "p1.png"])
