"""Charts that come after the page: by themselves, without a jump, and with the text that their place had."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
from playwright.sync_api import Page, expect

from . import access, screen
from .conftest import OpenPage

KEYS = ("cost-modules", "cost-network", "cost-branches", "cost-lab")


@pytest.fixture(scope="module")
def sized(kept_page: OpenPage) -> Callable[[str], Page]:
    """Of each window size one page for all tests, which keeps its layout shifts."""

    @cache
    def open_page(size: str) -> Page:
        return kept_page(size, script=access.SHIFTS)

    return open_page


def on_module(page: Page, app_url: str) -> None:
    """Goes to the page Module, from wherever the page is."""
    if page.url == "about:blank":
        screen.open_app(page, f"{app_url}/module")
    else:
        screen.go(page, "Module")


@pytest.mark.timeout(300)
def test_charts_come_by_themselves_and_stay(sized: Callable[[str], Page], app_url: str, size: str) -> None:
    page = sized(size)
    screen.open_app(page, f"{app_url}/cost")
    first = page.locator(f".st-key-{KEYS[0]} .main-svg").first
    expect(first).to_be_visible()
    height, before = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight"), len(access.shifts(page))
    for key in KEYS:
        expect(page.locator(f".st-key-{key} .main-svg").first).to_be_attached()
    screen.settle(page)
    expect(page.locator(".later")).to_have_count(0)
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollHeight") == height
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0
    assert access.shifts(page)[before:] == [], "what is drawn stays where it is"


@pytest.mark.timeout(300)
def test_a_chart_that_is_scrolled_to_is_there_again_on_the_way_back(sized: Callable[[str], Page], app_url: str) -> None:
    page = sized("phone")  # where it lies farther below
    on_module(page, app_url)
    text = screen.chart(page, "channel-profiles").get_attribute("aria-label")
    assert text
    screen.go(page, "Look")
    screen.go(page, "Module")
    expect(page.locator(".st-key-channel-profiles .main-svg").first).to_be_attached()
    assert screen.chart(page, "channel-profiles").get_attribute("aria-label") == text


@pytest.mark.timeout(300)
def test_a_dot_and_the_list_of_the_most_selective_pick_their_channel(
    sized: Callable[[str], Page], app_url: str
) -> None:
    page = sized("desktop")
    on_module(page, app_url)
    screen.click(page.locator(".st-key-module-strip").get_by_text("3a", exact=True))
    expect(page.get_by_role("heading", name="Inside 3a")).to_be_visible()
    screen.click(page.get_by_role("button", name="Show the pictures"), done=True)
    for key in ("orientation", "frequency", "colour"):
        expect(screen.chart(page, f"specialisation-{key}")).to_be_visible()
    dot = page.locator(".st-key-specialisation-colour .scatterlayer .trace").nth(1).locator("path.point").nth(40)
    screen.hover(dot, below=True)
    layer = page.locator(".st-key-specialisation-colour .hoverlayer")
    expect(layer).to_have_text(re.compile(r"3×3, channel \d+: [01]\.\d\d"))
    found = re.search(r"channel (\d+):", layer.text_content() or "")
    assert found
    screen.click(dot, below=True)
    title = page.locator(".st-key-channel-panel .scope-title")
    expect(title).to_contain_text(f"3a · 3×3 · channel {found[1]}")
    screen.choose(page, "most selective", "colour selectivity, pool: channel")
    expect(title).to_contain_text("3a · pool · channel")
    expect(page.get_by_role("region", name="families of channels")).to_contain_text("curves")
    # On along the circuit: to what reads the channel, and back by the browser.
    screen.click(page.get_by_text("Show the circuit"))
    card = page.locator(".st-key-circuit-cards").get_by_role("group", name="is read by").get_by_role("button").first
    name = card.locator("b").inner_text()
    before = title.inner_text()
    screen.click(card)
    expect(title).to_have_text(re.sub(r"^(\S+) (.+) (\d+)$", r"\1 · \2 · channel \3", name))
    screen.click(page.get_by_role("button", name="Keep", exact=True))
    expect(page.locator(".st-key-favourite-cards").get_by_role("button").first).to_contain_text(name)
    screen.travel(page, -1)
    expect(title).to_have_text(before)
    screen.assert_fits(page)
