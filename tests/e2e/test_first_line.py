"""The main journey: a photo, three heads, module 4d, a channel of its 5x5 branch, the cost. And every page's form."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from . import screen
from .conftest import FirstVisit, OpenPage
from .pictures import photo

PAGES = ("look", "module", "heads", "why", "vote", "cost", "model")
"""All but the page Fool, which test_fool.py looks at when everything is drawn on it."""


def test_from_a_photo_to_a_channel_to_the_cost(page: Page, app_url: str) -> None:
    screen.open_app(page, app_url)
    screen.upload(page, "launch.png", photo("rocket"))
    said = screen.answers(page)
    assert all("%" in words for words in said.values())

    screen.click(page.locator("[data-go='4d/5x5']"))
    expect(page.get_by_role("heading", name="Inside 4d")).to_be_visible()
    channels = page.locator("[data-node='5x5']")
    expect(channels).to_have_attribute("aria-valuemax", "63")
    screen.assert_fits(page)

    title, picture = page.locator(".st-key-channel-panel .scope-title"), page.locator(".spot img").first
    before = picture.get_attribute("src")
    channels.focus()
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
    expect(screen.film(page, "launch.png")).to_have_attribute("aria-pressed", "true")
    assert screen.answers(page) == said


def test_a_link_to_a_page_works_on_a_fresh_server(first_visit: FirstVisit) -> None:
    assert "What the 1×1 reductions save" in first_visit.headings
    # The line with device and milliseconds comes from main.py, not from the page.
    assert any(" ms" in line for line in first_visit.status)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_and_axe_finds_nothing_serious(new_page: OpenPage, app_url: str, name: str) -> None:
    page = new_page()
    screen.open_app(page, screen.address(app_url, name))
    for size, scheme in (("desktop", "light"), ("phone", "dark")):
        screen.resize(page, size, scheme)
        screen.assert_fits(page)
        found = screen.serious_findings(page)
        assert not found, "\n".join(found)


@pytest.mark.parametrize("style", ["width: 2000px", "position: relative; left: 1400px; width: 200px; overflow: hidden"])
def test_the_check_sees_what_is_cut_off(new_page: OpenPage, style: str) -> None:
    page = new_page()
    page.set_content(f'<main data-testid="stMain" style="overflow-x: hidden"><p style="{style}">wide</p></main>')
    with pytest.raises(AssertionError, match=r"cut off|sideways"):
        screen.assert_fits(page)
    page.set_content(
        '<main data-testid="stMain"><div style="overflow: auto"><p style="width: 2000px">.</p></div></main>'
    )
    screen.assert_fits(page)
