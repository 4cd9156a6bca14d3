"""The browser keeps its user's own photos for a reload, gives them to nobody else, and forgets them when told to."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

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

SLOW = 12.0
"""Seconds that a transfer takes on a slow line: longer than a transfer that comes to nothing is waited for."""

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
    return page.get_by_text("This view is about an uploaded photo")


@pytest.fixture(scope="module")
def mine(kept_page: OpenPage, app_url: str) -> Page:
    """The page of somebody with a browser of their own."""
    page = kept_page()
    screen.open_app(page, app_url)
    return page


def take_away(page: Page) -> None:
    """On the first page: this user's photos, if there are any."""
    button = page.get_by_role("button", name="Take my photos away", exact=True)
    if button.count():
        screen.click(button)
        kept(page)
    own(page, [])


def test_a_reload_keeps_the_photos_and_what_was_taken_away_does_not_come_back(mine: Page, app_url: str) -> None:
    page = mine
    screen.go(page, "Look")
    take_away(page)
    steps = page.evaluate("history.length")
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
    assert page.evaluate("history.length") == steps + 4  # two uploads, a photo, a page

    screen.go(page, "Look")
    own(page, ["launch.png", "cup.png", "first.png"])
    screen.click(page.get_by_role("button", name="Take my photos away", exact=True))
    kept(page)
    own(page, [])
    screen.reload(page)
    own(page, [])
    again = page.context.new_page()
    screen.open_app(again, app_url)
    own(again, [])
    expect(again.get_by_role("button", name="Take my photos away", exact=True)).to_have_count(0)
    again.close()


def test_the_oldest_photos_find_no_room_and_are_named(mine: Page, tmp_path: Path) -> None:
    page = mine
    screen.go(page, "Look")
    take_away(page)
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


def test_a_link_carries_no_photo_and_a_browser_without_a_store_works(new_page: OpenPage, app_url: str) -> None:
    last = new_page()
    link, said = f"{app_url}?photo=0123456789ab", []
    for store in (SILENT, REFUSED, None):  # the last one could show what the others had kept
        page = last
        if store:
            page = last.context.new_page()
            page.add_init_script(store)
        screen.open_app(page, link)
        expect(sentence(page)).to_be_visible()
        expect(sentence(page)).to_contain_text("Uploads are never part of a link")
        own(page, [])
        if store == REFUSED:
            screen.click(screen.film(page, "espresso"))
            expect(screen.film(page, "espresso")).to_have_attribute("aria-pressed", "true")
            expect(sentence(page)).to_have_count(0)
        screen.upload(page, "launch.png", photo("rocket"))
        link = page.url
        said.append(screen.answers(page))  # and the page stays open: the server has the photo, for this page only
    assert said == said[:1] * 3


def test_without_the_browsers_own_hashes_and_on_a_slow_line_photos_outlive_a_reload(
    new_page: OpenPage, app_url: str
) -> None:
    page = new_page(script=PLAIN_HTTP)
    screen.open_app(page, app_url)
    screen.upload(page, "launch.png", photo("rocket"))
    kept(page, "launch.png")

    def slowly(route: Route) -> None:
        time.sleep(SLOW)
        route.continue_()

    page.route(re.compile("/upload_file/"), slowly)
    screen.reload(page)
    expect(screen.film(page, "launch.png")).to_have_attribute("aria-pressed", "true")
    expect(sentence(page)).to_have_count(0)
    own(page, ["launch.png"])
