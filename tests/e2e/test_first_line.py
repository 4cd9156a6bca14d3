"""The main journey: a photo, three heads, module 4d, a channel of its 5x5 branch, the cost. The network in one line,
which leads from everywhere to a module, a branch or a head. And every page's form. All on one page that stays open."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from . import screen
from .conftest import FirstVisit, OpenPage, Said
from .line import part
from .pictures import photo

PAGES = ("look", "module", "heads", "why", "cost", "model")
"""All but the pages Fool and Vote: test_fool.py and test_vote.py look at them when everything is drawn on them."""


@pytest.fixture(scope="module")
def opened(kept_page: OpenPage, app_url: str) -> Page:
    """The app's first page, opened once; where a test leaves it the next one goes on from."""
    page = kept_page()
    screen.open_app(page, app_url)
    return page


def test_from_a_photo_to_a_channel_to_the_cost(opened: Page, size: str) -> None:
    page, name = opened, f"launch-{size}.png"
    screen.resize(page, size, "light")
    screen.go(page, "Look")
    screen.upload(page, name, photo("rocket", 0 if size == "desktop" else 90))
    said = screen.answers(page)
    assert all("%" in words for words in said.values())

    screen.click(page.locator("[data-go='4d/5x5']"))
    expect(page.get_by_role("heading", name="Inside 4d")).to_be_visible()
    channels = page.locator("[data-node='5x5']")
    expect(channels).to_have_attribute("aria-valuemax", "63")
    screen.assert_fits(page)

    title, picture = page.locator(".st-key-channel-panel .scope-title"), page.locator(".spot img").first
    before = picture.get_attribute("src")
    screen.press(channels, "Home", "ArrowRight", "ArrowRight", "Enter")
    channel = channels.get_attribute("aria-valuenow")
    expect(title).to_contain_text(re.compile(rf"5×5.*\b{channel}\b"))
    expect(picture).not_to_have_attribute("src", before or "")
    screen.click(channels, at=(4, 4))
    expect(title).to_contain_text(re.compile(rf"5×5.*\b{channels.get_attribute('aria-valuenow')}\b"))

    screen.go(page, "Cost")
    expect(page.get_by_role("heading", name="What the 1×1 reductions save")).to_be_visible()
    main = page.get_by_test_id("stMain")
    # 1,103,972,352 MACs of the nine modules, and 3,947,847,680 without reductions.
    expect(main).to_contain_text("1.104 G instead of 3.948 G")
    expect(page.get_by_role("heading", name="Table 1 beside the paper's figures")).to_be_visible()
    screen.assert_fits(page)

    screen.go(page, "Look")
    expect(screen.film(page, name)).to_have_attribute("aria-pressed", "true")
    assert screen.answers(page) == said


def test_a_link_to_a_page_works_on_a_fresh_server(first_visit: FirstVisit) -> None:
    assert "What the 1×1 reductions save" in first_visit.headings
    # The line with device and milliseconds comes from main.py, not from the page.
    assert any(" ms" in line for line in first_visit.status)


def look_at_the_cat(page: Page) -> None:
    """Wide and light on the first page, with the sample photo that a session begins with."""
    screen.resize(page, "desktop", "light")
    screen.go(page, "Look")
    screen.click(screen.film(page, "cat"))
    expect(screen.film(page, "cat")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_and_axe_finds_nothing_serious(opened: Page, name: str) -> None:
    if name == PAGES[0]:
        look_at_the_cat(opened)
    forms = [("desktop", "light"), ("phone", "dark")]
    if opened.viewport_size == dict(zip(("width", "height"), screen.SIZES["phone"], strict=True)):
        forms.reverse()  # from the window as it is: to change it costs seconds
    for size, scheme in forms:
        screen.resize(opened, size, scheme)
        if (size, scheme) == forms[0]:
            screen.go(opened, name.capitalize())
        screen.assert_fits(opened)
        found = screen.serious_findings(opened)
        assert not found, "\n".join(found)


def test_the_line_leads_everywhere(opened: Page, said: Said) -> None:
    page = opened
    look_at_the_cat(page)
    screen.go(page, "Cost")
    screen.press(part(page, "4d/3x3"), "Enter")
    expect(page.get_by_role("heading", name="Inside 4d")).to_be_visible()

    screen.press(part(page, "head/aux1"), "Enter")
    expect(page.get_by_role("heading", name="Three heads, three depths")).to_be_visible()
    screen.click(part(page, "head/aux1"))
    expect(page.get_by_role("figure", name=re.compile(f"Rank of {said('cat')['aux1']}"))).to_be_visible()

    screen.click(part(page, "3b/pool"))
    expect(page.get_by_role("heading", name="Inside 3b")).to_be_visible()
    screen.click(part(page, "5a/1x1"))
    expect(page.get_by_role("heading", name="Inside 5a")).to_be_visible()
    expect(part(page, "5a/1x1")).to_have_attribute("aria-current", "true")
    screen.click(part(page, "head/aux2"))
    expect(page.get_by_role("heading", name="Three heads, three depths")).to_be_visible()

    screen.click(page.get_by_test_id("stTopNavLink").filter(has_text="Why"))
    expect(part(page, "head/aux2")).to_have_attribute("aria-current", "true")
    screen.click(part(page, "4b/5x5"))
    # The main map comes first; the gallery below may show the same question once more.
    expect(page.get_by_role("heading", name=re.compile("GradCAM at 4b:5x5")).first).to_be_visible()
    screen.assert_fits(page)


def test_on_a_phone_the_chosen_module_is_in_sight(opened: Page) -> None:
    page = opened
    screen.resize(page, "desktop", "light")
    screen.go(page, "Module")
    screen.click(part(page, "5b/1x1"))
    screen.go(page, "Look")
    screen.resize(page, "phone", "dark")
    screen.go(page, "Module")  # draws the line anew, from its left end
    expect(part(page, "5b/1x1")).to_have_attribute("aria-current", "true")
    expect(part(page, "5b/1x1")).to_be_in_viewport()
    screen.assert_fits(page)
