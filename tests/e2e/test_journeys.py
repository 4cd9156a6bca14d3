"""Two journeys: a class along the time line, and what a narrower reduction would cost."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from . import screen
from .conftest import OpenPage


def test_a_class_along_the_time_line(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/heads?teach=off")
    main = page.get_by_test_id("stMain")
    expect(page.get_by_role("figure", name=re.compile("Rank of Egyptian cat"))).to_be_visible()
    expect(main).to_contain_text(re.compile(r"aux1 says golden retriever.*main changes to Egyptian cat"))
    expect(main).to_contain_text(re.compile(r"By probe Egyptian cat first comes to rank 1 at 4c"))
    screen.choose(page, "Follow", "lion")
    expect(page.get_by_role("figure", name=re.compile("Rank of lion"))).to_be_visible()
    screen.click(screen.film(page, "espresso"))
    expect(page.get_by_role("figure", name=re.compile("Rank of lion"))).to_be_visible()
    screen.settle(page)
    for head, said in screen.answers(page).items():
        assert "espresso" in said, head
    expect(
        page.get_by_role("img", name=re.compile("^main · at 5b · espresso: a signed map on espresso")).first
    ).to_be_visible()
    screen.assert_fits(page)


def test_what_a_narrower_reduction_would_cost(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/?teach=off")
    screen.press(page.locator("[data-go='4e/3x3_reduce']"), "Enter")
    expect(page.get_by_role("heading", name="Inside 4e")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("4e · 3×3 reduce · channel"))).to_be_visible()
    screen.click(page.get_by_test_id("stTopNavLink").filter(has_text="Cost"))
    lab = page.get_by_text(re.compile("Move a width of Table 1"))
    expect(lab).to_contain_text("1.582 G MACs")
    expect(lab).to_contain_text("over the paper's budget of 1.5 billion")
    screen.charts_drawn(page)
    slider = page.get_by_role("slider", name=re.compile("3×3 reduce")).first
    screen.press(slider, "Home")
    # One channel instead of 160 before 4e's 3x3: 14 * 14 * (528 + 9 * 320) * 159 multiply-adds fewer.
    expect(lab).to_contain_text(f"{(1_581_852_672 - 14 * 14 * (528 + 9 * 320) * 159) / 1e9:.3f} G MACs")
    expect(lab).to_contain_text("under the paper's budget")
    screen.settle(page)
    screen.click(page.get_by_role("button", name="4e as published"))
    expect(lab).to_contain_text("1.582 G MACs")
