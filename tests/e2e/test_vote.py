"""The page Vote: a vote that is cancelled; the sheet of views by mouse and keyboard, the slider, another head."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from . import access, screen
from .conftest import OpenPage

PHONE, DESK = ("phone", "dark"), ("desktop", "light")


def assert_good_form(page: Page, *forms: tuple[str, str]) -> None:
    """In windows of these sizes and colour schemes, one after the other."""
    for size, scheme in forms:
        screen.resize(page, size, scheme)
        screen.assert_fits(page)
        found = screen.serious_findings(page)
        assert not found, "\n".join(found)
        for found in (access.nameless(page), access.unreachable(page)):
            assert found == []


@pytest.mark.timeout(600)
def test_a_vote_is_cancelled_and_started_again_and_its_views_are_looked_at(new_page: OpenPage, app_url: str) -> None:
    voted = new_page()
    screen.open_app(voted, f"{app_url}/vote?photo=rocket")
    screen.click(voted.get_by_role("button", name="Cancel"))
    expect(voted.get_by_text("Cancelled: nothing of it was kept.")).to_be_visible()
    cells = voted.locator(".cell")
    expect(cells).to_have_count(0)
    screen.click(voted.get_by_role("button", name="Start again"))
    assert_good_form(voted, DESK, PHONE)  # while its views are asked

    expect(voted.get_by_role("heading", name="Every view and its answer")).to_be_visible(timeout=180_000)
    screen.settle(voted, done=True)  # all views have been asked
    expect(cells).to_have_count(144, timeout=180_000)
    expect(
        voted.get_by_role("button", name=re.compile("^view 1, shorter side 256, centre square, centre:"))
    ).to_be_visible()
    screen.click(cells.nth(20))
    detail = voted.locator(".detail")
    number = cells.nth(20).get_attribute("data-number")
    expect(detail.get_by_role("img", name=re.compile(f"with the frame of view {number}:"))).to_be_visible()
    expect(detail.get_by_role("img", name=re.compile(f"shown as view {number},"))).to_be_visible()
    expect(cells.nth(20)).to_have_attribute("aria-expanded", "true")
    assert_good_form(voted, PHONE, DESK)
    screen.press(cells.nth(20), "ArrowRight")
    expect(cells.nth(21)).to_be_focused()
    screen.press(cells.nth(21), "Enter")
    following = cells.nth(21).get_attribute("data-number")
    expect(detail.get_by_role("heading", name=f"view {following}", exact=True)).to_be_visible()
    screen.press(cells.nth(21), "Escape")
    expect(detail).to_have_count(0)
    expect(cells.nth(21)).to_be_focused()
    assert cells.evaluate_all("cells => cells.filter((cell) => cell.tabIndex === 0).length") == 1
    screen.press(cells.nth(21), "End")
    expect(cells.nth(143)).to_be_focused()

    main = voted.get_by_test_id("stMain")
    expect(main).to_contain_text("Averaged over all 144 views, main says")
    screen.press(voted.get_by_role("slider"), "Home")
    expect(main).to_contain_text("Averaged over the first view, main says")
    expect(voted.locator(".cell.later")).to_have_count(143)
    screen.click(main.get_by_role("radio", name="aux1"))
    expect(main).to_contain_text("Averaged over the first view, aux1 says")
