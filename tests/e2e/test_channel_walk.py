"""The channels of a module walked by mouse, keys and finger: seen at once without the server, pinned in view."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import CDPSession, FloatRect, Locator, Page, expect

from . import screen
from .conftest import OpenPage

HEADER = 57
"""Pixels that the bar on top takes."""

# Whether the app's script ran, and every picture that was painted.
_WATCH = """() => {
  window.scopeRuns = 0;
  const app = document.querySelector("[data-testid=stApp]");
  new MutationObserver(() => { if (app.dataset.testScriptState === "running") window.scopeRuns++; })
    .observe(app, { attributes: true, attributeFilter: ["data-test-script-state"] });
}"""


class Sent:
    """What the browser sends to the server, counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.frames = page, 0
        page.on("websocket", lambda socket: socket.on("framesent", self._count))

    def _count(self, _: object) -> None:
        self.frames += 1

    @contextmanager
    def nothing(self) -> Iterator[None]:
        """Fails where something is sent, or the app's script runs, until all is at rest again."""
        before = self.frames
        self.page.evaluate(_WATCH)
        yield
        screen.settle(self.page)
        assert (self.frames - before, self.page.evaluate("window.scopeRuns")) == (0, 0)


def opened(page: Page, url: str) -> Sent:
    """Goes to a module and waits until nothing more comes by itself: charts ask for themselves after a while."""
    sent = Sent(page)
    screen.open_app(page, f"{url}/module?module=4c&branch=5x5&teach=off")
    expect(page.locator(".later")).to_have_count(0)
    screen.settle(page)
    return sent


@pytest.fixture(scope="module")
def sent(kept_page: OpenPage, app_url: str) -> Sent:
    """A module on a desktop, and what its page sends."""
    return opened(kept_page(), app_url)


def begin(page: Page) -> None:
    """The page on the desktop, seen from its top, with mouse and focus on nothing."""
    screen.resize(page, "desktop")
    page.get_by_test_id("stMain").evaluate("node => node.scrollTo(0, 0)")
    screen.move(page, 5, 300)
    page.evaluate("document.activeElement.blur()")
    screen.settle(page)


def title(page: Page) -> Locator:
    return page.locator(".st-key-channel-panel .scope-title")


def canvas(page: Page) -> Locator:
    return page.locator(".spot canvas")


def painted(page: Page) -> str:
    """The picture that the browser has painted, as text; none where the server's is shown."""
    shown = canvas(page)
    return str(shown.evaluate("canvas => canvas.toDataURL()")) if shown.is_visible() else ""


def box_of(place: Locator) -> FloatRect:
    box = place.bounding_box()
    assert box
    return box


def in_view(page: Page, place: Locator) -> None:
    """The place lies in the window, below the bar on top."""
    box, size = box_of(place), page.viewport_size
    assert size
    assert box["y"] >= HEADER
    assert box["y"] + box["height"] <= size["height"], box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"], box


@pytest.mark.timeout(300)
def test_by_mouse(sent: Sent) -> None:
    page = sent.page
    begin(page)
    pinned, cells = title(page).inner_text(), page.locator("[data-node='3x3']")
    looks, names = [], []
    with sent.nothing():
        for step in (5, 9, 13):
            screen.hover(cells, at=(20.0 * step, 30))
            looks.append(painted(page))
            names.append(title(page).inner_text())
        screen.move(page, 5, 300)
        expect(canvas(page)).to_be_hidden()
        expect(title(page)).to_have_text(pinned)
    assert all(looks)
    assert len(set(looks)) == len(set(names)) == 3
    assert all(re.fullmatch(r"4c · 3×3 · channel \d+", name) for name in names)

    screen.click(cells, at=(260, 30))
    expect(title(page)).to_have_text(names[-1])
    expect(page).to_have_url(re.compile(f"channel={names[-1].rpartition(' ')[2]}(&|$)"))
    expect(canvas(page)).to_be_hidden()  # the server's picture has taken its place
    expect(page.get_by_role("img", name=names[-1])).to_be_visible()
    in_view(page, page.locator(".spot"))
    page.get_by_role("heading", name=re.compile("^Switch off parts")).scroll_into_view_if_needed()
    in_view(page, page.locator(".spot"))
    in_view(page, page.locator(".st-key-channel-panel"))  # all of it, and its end by a wheel over it

    other = page.locator("[data-node='3x3']")
    other.scroll_into_view_if_needed()
    screen.click(other, at=(100, 30))
    expect(title(page)).not_to_have_text(names[-1])
    screen.travel(page, -1)
    expect(title(page)).to_have_text(names[-1])
    assert cells.get_attribute("aria-valuenow") == names[-1].rpartition(" ")[2]  # the figure has heard of it as well


@pytest.mark.timeout(300)
def test_by_keys(sent: Sent) -> None:
    page = sent.page
    begin(page)
    pinned, cells = title(page).inner_text(), page.locator("[data-node='5x5']")
    names, looks = [], []
    with sent.nothing():
        screen.focus(page.locator("[data-node='3x3_reduce']"))
        screen.press(page, "Tab")
        assert cells.evaluate("node => node.getRootNode().activeElement === node")
        screen.press(page, "Home")
        for key in ("ArrowRight", "ArrowDown", "End"):
            screen.press(page, key)
            names.append(title(page).inner_text())
            looks.append(painted(page))
        assert len({pinned, *names}) == 4
        assert len({"", *looks}) == 4
        expect(cells).to_have_attribute("aria-valuetext", re.compile(rf"^{names[-1].rpartition(' · ')[2]} · mean"))
        screen.press(page, "Shift+Tab", "Shift+Tab")
        page.evaluate("document.activeElement.blur()")
        expect(title(page)).to_have_text(pinned)
    screen.focus(cells)
    screen.press(page, "Home", "ArrowRight", "Enter")
    expect(title(page)).to_have_text(names[0])
    expect(page.get_by_role("img", name=names[0])).to_be_visible()
    in_view(page, page.locator(".spot"))

    after = page.get_by_role("button", name="the channel after")
    with sent.nothing():  # three quick steps; the last one rests and is pinned
        page.evaluate("document.activeElement.blur()")
    before = sent.frames
    screen.click_quickly(after, 3)
    walked = title(page).inner_text()
    expect(page.get_by_role("img", name=walked)).to_be_visible()
    screen.settle(page)
    expect(title(page)).to_have_text(walked)
    assert walked not in names[:1]
    expect(page).to_have_url(re.compile(f"channel={walked.rpartition(' ')[2]}(&|$)"))
    assert 1 <= sent.frames - before <= 2, "one pick for three steps"


def touch(session: CDPSession, kind: str, *place: float) -> None:
    """One event of a finger: touchStart, touchMove at x, y, or touchEnd."""
    points = [{"x": place[0], "y": place[1]}] if place else []
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.mark.timeout(300)
def test_by_finger(new_page: OpenPage, app_url: str) -> None:
    page = new_page("phone")
    sent = opened(page, app_url)
    panel, cells = page.locator(".st-key-channel-panel"), page.locator("[data-node='5x5']")
    fold, spot = page.get_by_role("button", name="the panel of the channel"), page.locator(".spot")
    expect(fold).to_have_attribute("aria-expanded", "false")
    assert box_of(panel)["height"] < 90
    expect(spot).to_be_hidden()

    # A tap far down, where the sheet is about to be, pins; the sheet comes and does not cover what was tapped.
    cells.evaluate("node => node.scrollIntoView({ block: 'end' })")
    page.get_by_test_id("stMain").evaluate("node => node.scrollBy(0, 100)")
    place = box_of(cells)
    assert place["y"] + 60 > 500
    screen.tap(cells, at=(100, 50))
    tapped = f"4c · 5×5 · channel {cells.get_attribute('aria-valuenow')}"
    expect(title(page)).to_have_text(tapped)
    expect(page.get_by_role("img", name=tapped)).to_be_visible()
    expect(fold).to_have_attribute("aria-expanded", "true")
    in_view(page, panel)
    in_view(page, spot)
    mark = box_of(cells.locator(".mark"))
    assert mark["y"] + mark["height"] < box_of(panel)["y"]
    assert mark["y"] > HEADER

    # A finger that moves sideways walks, above the sheet and below the middle, and pins where it is lifted.
    session = page.context.new_cdp_session(page)
    place, names, steps = box_of(cells), [], page.evaluate("history.length")
    with sent.nothing():
        touch(session, "touchStart", place["x"] + 20, place["y"] + 10)
        for x in range(30, 180, 10):
            touch(session, "touchMove", place["x"] + x, place["y"] + 10)
            names.append(title(page).inner_text())
        assert len(set(names)) > 4
        assert painted(page)
    touch(session, "touchEnd")
    screen.settle(page)
    expect(title(page)).to_have_text(names[-1])
    expect(page.get_by_role("img", name=names[-1])).to_be_visible()
    assert page.evaluate("history.length") == steps + 1  # which Back takes back

    # One that moves upwards scrolls the page and pins nothing.
    main, frames = page.get_by_test_id("stMain"), sent.frames
    top = main.evaluate("node => node.scrollTop")
    place = box_of(cells)
    touch(session, "touchStart", place["x"] + 60, place["y"] + 10)
    for y in range(0, 120, 8):
        touch(session, "touchMove", place["x"] + 60, place["y"] + 10 - y)
    touch(session, "touchEnd")
    screen.settle(page)
    assert main.evaluate("node => node.scrollTop") > top
    assert sent.frames == frames
    expect(title(page)).to_have_text(names[-1])

    screen.tap(page.get_by_role("button", name="the channel before"))
    expect(title(page)).not_to_have_text(names[-1])
    screen.tap(fold)
    expect(spot).to_be_hidden()
    assert box_of(panel)["height"] < 90
    screen.assert_fits(page)


def test_pages_use_the_width(sent: Sent) -> None:
    page = sent.page
    begin(page)
    for width, used in ((1440, 1396), (1920, 1596), (2560, 1596)):
        screen.resize(page, (width, 1080))
        split = box_of(page.locator(".st-key-module-split"))
        assert abs(split["width"] - used) <= 1
        panel, figure = box_of(page.locator(".st-key-channel-panel")), box_of(page.locator(".figure"))
        assert figure["x"] + figure["width"] < panel["x"]
        assert abs(panel["x"] + panel["width"] - split["x"] - split["width"]) <= 1
        screen.assert_fits(page)
