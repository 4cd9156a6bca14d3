"""Charts that come after the page: by themselves, without a jump, and with the text that their place had."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from . import access, screen

KEYS = ("cost-modules", "cost-network", "cost-branches", "cost-lab")


@pytest.mark.timeout(300)
def test_all_charts_of_a_page_come_without_being_scrolled_to(page: Page, app_url: str) -> None:
    access.watch_shifts(page.context)
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
def test_a_chart_comes_when_it_is_scrolled_to_and_stays(page: Page, app_url: str) -> None:
    screen.open_app(page, f"{app_url}/module?module=4d")
    text = screen.chart(page, "channel-profiles").get_attribute("aria-label")
    assert text
    screen.go(page, "Look")
    screen.go(page, "Module")
    expect(page.locator(".st-key-channel-profiles .main-svg").first).to_be_attached()
    assert screen.chart(page, "channel-profiles").get_attribute("aria-label") == text
