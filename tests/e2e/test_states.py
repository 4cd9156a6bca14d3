"""Every important state of the app, not only each page's first: accessible, cut off nowhere, and nothing jumps.

A walk by mouse and keyboard; at each stop the page is looked at on a desktop in light and on a phone in dark. Who has
come to Why takes a report along: downloaded, and opened from a file by somebody without a network.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.widgets.teach import LESSONS

from . import access, screen
from .conftest import OpenPage
from .offline import offline
from .pictures import NO_PHOTOS

LOOKS = (("phone", "dark"), ("desktop", "light"))
"""The page is left on the desktop."""
TEACH = ".scope-teach"
TITLES = (
    "The heads answer", "Go inside", "Pick a channel", "Watch the answer form", "Why, and can it be believed",
    "Try to fool it", "Ask more than once", "What it costs", "Whose weights these are",
)  # fmt: skip
"""Of the tour's steps after the first."""
_PICTURES = "() => [...document.images].map((image) => [image.complete, image.naturalWidth, image.alt])"


def look_at(page: Page, what: str) -> None:
    """Checks the state that the page is in, in both looks."""
    for size, scheme in LOOKS:
        screen.resize(page, size, scheme)
        screen.assert_fits(page)
        found = {
            "axe": screen.serious_findings(page),
            "nameless": access.nameless(page),
            "unreachable": access.unreachable(page),
            "no visible focus": access.unmarked(page),
        }
        assert not any(found.values()), f"{what}, {size} {scheme}: { ({k: v for k, v in found.items() if v}) }"


def press(page: Page, name: str) -> None:
    """A button by its name."""
    screen.click(page.get_by_role("button", name=name, exact=True).first)


def taught(page: Page, *figures: str) -> None:
    """Every one of these figures has its lesson below it."""
    for figure in figures:
        expect(page.locator(TEACH).filter(has_text=LESSONS[figure].sentence).first).to_be_visible()


def step_of(page: Page) -> str:
    """Which step the tour shows."""
    return page.get_by_role("dialog").locator(".place").inner_text()


def has_focus(page: Page) -> bool:
    """Whether the focus is on the tour's card."""
    return bool(page.get_by_role("dialog").evaluate("card => card.matches(':focus')"))


@pytest.fixture(scope="module")
def linked(kept_page: OpenPage, app_url: str) -> Page:
    """A page for the states of the other pages: its user came by a link to a channel, and has never been here."""
    page = kept_page()
    screen.open_app(page, f"{app_url}/module?module=4b&branch=3x3&channel=5")
    return page


@pytest.mark.timeout(600)
def test_the_tour_by_keyboard_that_it_stays_away_and_states_of_look(new_page: OpenPage, app_url: str) -> None:
    page = new_page(script=access.SHIFTS)
    screen.open_app(page, app_url)
    card = page.get_by_role("dialog", name="Choose a photo")
    expect(card).to_be_visible()
    assert not has_focus(page)  # who reads already is not moved
    expect(page.get_by_role("status").filter(has_text="A tour in 10 steps")).to_have_count(1)
    look_at(page, "the tour's first step")
    for step, title in enumerate(TITLES, 2):
        screen.press(page.get_by_role("button", name="Next", exact=True), "Enter")
        expect(page.get_by_role("dialog", name=title)).to_be_visible()
        assert (step_of(page), has_focus(page)) == (f"{step} of 10", True)
        about = page.locator("[data-tour=here]")
        expect(about).to_have_count(1)
        assert not screen.overlap(page.get_by_role("dialog"), about), title
    expect(page).to_have_url(re.compile("/model"))
    look_at(page, "the tour's last step")
    press(page, "Done")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("[data-tour]")).to_have_count(0)
    look_at(page, "the model page")

    screen.open_app(page, app_url)
    expect(page.get_by_role("dialog")).to_have_count(0)
    screen.click(page.get_by_test_id("stExpandSidebarButton"))
    take_the_tour(page)
    screen.press(page, "Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    take_the_tour(page)
    press(page, "Skip")
    expect(page.get_by_role("dialog")).to_have_count(0)
    states_of_look(page)


def take_the_tour(page: Page) -> None:
    """From the sidebar, which is open."""
    press(page, "Take the tour")
    expect(page.get_by_role("dialog", name="Choose a photo")).to_be_visible()


def states_of_look(page: Page) -> None:
    """From the first page as it is without the tour, the sidebar open, to the contact sheet and two photos."""
    expect(page.locator(TEACH).first).to_be_visible()
    look_at(page, "the sidebar open")
    screen.click(page.locator(".st-key-teach").get_by_text("Teach mode", exact=True))
    expect(page.locator(TEACH)).to_have_count(0)
    expect(page).to_have_url(re.compile("teach=off"))
    screen.click(page.get_by_test_id("stSidebarCollapseButton").get_by_role("button"))
    screen.send(page, *NO_PHOTOS.items())
    expect(page.get_by_test_id("stAlert")).to_have_count(len(NO_PHOTOS))
    screen.click(page.get_by_text("Contact sheet", exact=True))
    expect(page.get_by_role("group", name="contact sheet", exact=True)).to_be_visible()
    press(page, "Compare")
    expect(page.get_by_role("region", name="main", exact=True)).to_have_count(2)
    look_at(page, "bad uploads, contact sheet and two photos")
    press(page, "take the second photo away")
    screen.click(screen.film(page, "rocket"))
    before = len(access.shifts(page))
    screen.settle(page)
    assert access.shifts(page)[before:] == []  # what is drawn stays where it is


def test_the_checks_see_what_is_missing(new_page: OpenPage) -> None:
    page = new_page()
    page.set_content(
        """<main><div id="host"></div><p style="cursor: pointer">click</p>
        <button style="outline: none">quiet</button><button>loud</button></main>
        <script>document.getElementById("host").attachShadow({ mode: "open" }).innerHTML =
          '<img width="9" height="9"><img alt="" width="9" height="9"><svg role="img" width="9" height="9"></svg>'
          + '<button aria-label="named"><img alt="" width="9" height="9"></button>';</script>"""
    )
    assert [found.partition(":")[0] for found in access.nameless(page)] == [
        "no alt",
        "empty alt outside of a named button",
        "nameless picture",
    ]
    assert [found[:2] for found in access.unreachable(page)] == ["p."]
    assert [re.findall(r">(\w+)<", found) for found in access.unmarked(page)] == [["quiet"]]


@pytest.mark.timeout(300)
def test_states_of_a_module(linked: Page) -> None:
    page = linked
    expect(page.get_by_role("dialog")).to_have_count(0)  # who comes by a link sees no tour
    press(page, "show all channels of the concatenation")
    screen.click(page.locator(".st-key-bench-open").get_by_text("Open the bench"))
    expect(page.locator(".st-key-bench-curve .main-svg").first).to_be_visible()
    screen.click(page.locator(".st-key-ablation-off").get_by_text("5×5", exact=True).first)
    expect(page.get_by_text(re.compile("Without 5×5 of 4b"))).to_be_visible()
    taught(page, "module", "channel", "profiles", "bench", "ablation")
    look_at(page, "a node unfolded, a channel picked, the bench open, a branch off")


def test_the_map_stands_above_the_choices_on_the_phone(linked: Page) -> None:
    page = linked
    screen.go(page, "Why")
    screen.settle(page, done=True)
    for size in ("phone", "desktop"):
        screen.resize(page, size)
        page.get_by_test_id("stMain").evaluate("node => node.scrollTo(0, 0)")
        map_, method = page.locator(".why-map .stack").first, page.locator(".st-key-why-method")
        above, below = screen.top(map_), screen.top(map_) + float(map_.evaluate("node => node.offsetHeight"))
        if size == "phone":
            assert below < screen.top(method)
            assert 0 < above < 844
        else:  # beside each other
            assert above < screen.top(method) < below


def ask_for_little(page: Page) -> None:
    """On the page Why: a ledger of few steps, for it and for a report."""
    screen.press(page.get_by_role("slider", name=re.compile("Steps of the path")), "Home")
    most = page.get_by_role("spinbutton", name="With at most so many gradients")
    screen.fill(most, "0")  # the steps stay as they are
    screen.press(most, "Enter")


@pytest.mark.timeout(300)
def test_states_of_why(linked: Page) -> None:
    page = linked
    screen.go(page, "Why")
    ask_for_little(page)
    asked = {"Make the ledger from black in 10 steps": "why-ledger-chart", "Switch off each of": "why-sweep-main"}
    for name, key in asked.items():
        screen.click(page.get_by_role("button", name=re.compile(name)), done=True)
        expect(page.locator(f".st-key-{key} .main-svg").first).to_be_visible()
    expect(page.locator(".why-map img.photo")).to_have_count(5)
    taught(page, "attribution", "gallery", "score-sum", "ledger", "sweep")
    look_at(page, "gallery, ledger and sweep")
    screen.click(page.locator(".st-key-trust-why-map summary"))
    taught(page, "trust")
    found = screen.serious_findings(page) + access.nameless(page) + access.unmarked(page)
    assert not found, "\n".join(found)


@pytest.mark.timeout(400)
def test_a_report_is_complete_without_a_network(linked: Page, browser: Browser, tmp_path: Path) -> None:
    page = linked
    screen.go(page, "Why")
    ask_for_little(page)
    screen.click(page.get_by_role("button", name="Make a report"), done=True)
    button = page.get_by_role("button", name="Download the report")
    expect(button).to_be_visible(timeout=screen.PATIENCE * 1000)
    screen.settle(page)
    shown, hidden = tmp_path / "shown.html", tmp_path / "hidden.html"
    screen.download(button).save_as(shown)
    screen.click(page.locator(".st-key-report-private label"))
    # Until the page has answered, the button still stands for the file before.
    expect(page.get_by_text("report.html", exact=True)).to_be_visible()
    screen.settle(page)
    screen.download(button).save_as(hidden)
    screen.assert_fits(page)
    looks(browser, shown, "desktop", "light", name="cat")
    looks(browser, hidden, "phone", "dark", name=None)


def looks(browser: Browser, path: Path, size: str, scheme: str, *, name: str | None) -> None:
    """The file opens offline, asks for nothing, shows every picture, fits the window, and axe finds nothing serious."""
    with offline(browser, size, scheme) as seen:
        page = seen.page
        screen.open_file(page, path)
        assert [url for url in seen.asked if not url.startswith("data:")] == [path.as_uri()]
        assert seen.said == []
        pictures = page.evaluate(_PICTURES)
        assert len(pictures) > 40
        assert all(complete and wide > 0 and words for complete, wide, words in pictures)
        facts = json.loads(page.locator("#manifest").text_content() or "")
        assert facts["image"]["name"] == name
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 20, 24)"}[scheme]
        assert screen.serious_findings(page) == []


@pytest.mark.timeout(300)
def test_states_of_cost(linked: Page) -> None:
    page = linked
    screen.go(page, "Cost")
    slider = page.get_by_role("slider", name=re.compile("5×5 reduce")).first
    screen.charts_drawn(page)
    screen.press(slider, "ArrowLeft")
    expect(page.get_by_text(re.compile("fewer")).first).to_be_visible()
    look_at(page, "the lab after a slider")
