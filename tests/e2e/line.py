"""The network in one line, which stands on every page but the first: the way to a module, a branch or a head."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from . import screen


def part(page: Page, go: str) -> Locator:
    """A part of the line: `4d/5x5` or `head/aux1`."""
    return page.locator(f".st-key-network-line [data-go='{go}']")


def stand_at(page: Page, branch: str) -> None:
    """On the page Module, at that branch."""
    if "/module" not in page.url:
        screen.go(page, "Module")
    there = part(page, branch)
    if there.get_attribute("aria-current") is None:
        screen.click(there)
    expect(there).to_have_attribute("aria-current", "true")
