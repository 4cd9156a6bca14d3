"""The network in one line leads from everywhere to a module, a branch or a head, by mouse and by keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from . import screen
from .conftest import OpenPage


def part(page: Page, go: str) -> Locator:
    """A part of the line."""
    return page.locator(f".st-key-network-line [data-go='{go}']")


def test_the_line_leads_everywhere(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/cost?teach=off")
    screen.press(part(page, "4d/3x3"), "Enter")
    expect(page.get_by_role("heading", name="Inside 4d")).to_be_visible()

    screen.press(part(page, "head/aux1"), "Enter")
    expect(page.get_by_role("heading", name="Three heads, three depths")).to_be_visible()
    screen.click(part(page, "head/aux1"))
    expect(page.get_by_role("figure", name=re.compile("Rank of golden retriever"))).to_be_visible()

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


def test_on_a_phone_the_chosen_module_is_in_sight(new_page: OpenPage, app_url: str) -> None:
    page = new_page("phone", "dark")
    screen.open_app(page, f"{app_url}/module?module=5b&teach=off")
    expect(part(page, "5b/1x1")).to_be_in_viewport()
    screen.assert_fits(page)
