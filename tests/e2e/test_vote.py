"""The page Vote: the sheet of views by mouse and keyboard, the slider, another head, and a vote that is cancelled."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from . import access, screen
from .conftest import OpenPage


@pytest.mark.timeout(400)
def test_views_are_looked_at_by_mouse_and_keyboard_and_the_slider_takes_some(new_page: OpenPage, app_url: str) -> None:
    voted = new_page()
    screen.open_app(voted, f"{app_url}/vote")
    expect(voted.get_by_role("heading", name="Every view and its answer")).to_be_visible(timeout=180_000)
    screen.settle(voted, done=True)  # all views have been asked
    cells = voted.locator(".cell")
    expect(cells).to_have_count(144)
    expect(
        voted.get_by_role("button", name=re.compile("^view 1, shorter side 256, centre square, centre:"))
    ).to_be_visible()
    screen.click(cells.nth(20))
    detail = voted.locator(".detail")
    number = cells.nth(20).get_attribute("data-number")
    expect(detail.get_by_role("img", name=re.compile(f"with the frame of view {number}:"))).to_be_visible()
    expect(detail.get_by_role("img", name=re.compile(f"shown as view {number},"))).to_be_visible()
    expect(cells.nth(20)).to_have_attribute("aria-expanded", "true")
    for size, scheme in (("phone", "dark"), ("desktop", "light")):
        screen.resize(voted, size, scheme)
        screen.assert_fits(voted)
        assert not screen.serious_findings(voted)
        for found in (access.nameless(voted), access.unreachable(voted)):
            assert found == []
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


def test_a_vote_can_be_cancelled_and_started_again(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/vote?photo=rocket")
    screen.click(page.get_by_role("button", name="Cancel"))
    expect(page.get_by_text("Cancelled: nothing of it was kept.")).to_be_visible()
    expect(page.locator(".cell")).to_have_count(0)
    screen.click(page.get_by_role("button", name="Start again"))
    expect(page.locator(".cell")).to_have_count(144, timeout=180_000)
