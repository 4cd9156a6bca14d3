"""The page Fool on the phone: a slider by keys, the heads' answers beside it, Back, and a change that turns one."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from . import screen
from .conftest import OpenPage, Said


def test_a_slider_turns_an_answer_and_so_does_a_change(new_page: OpenPage, app_url: str, said: Said) -> None:
    page = new_page("phone", "dark")
    screen.open_app(page, f"{app_url}/fool?bound=1&teach=off")
    main = page.get_by_role("region", name="main", exact=True)
    expect(main).to_contain_text("after 5b")
    blur = page.get_by_role("slider", name="Blur")
    screen.press(blur, "End")
    expect(page).to_have_url(re.compile(r"[?&]blur=8(&|$)"))
    expect(main).to_contain_text(f"was {said('cat')['main']}")
    expect(main).to_be_in_viewport()
    screen.settle(page, done=True)
    screen.chart(page, "fool-blur-chart")
    expect(page.locator(".fool-flips").nth(2)).to_contain_text(re.compile(r"main → .+ at [\d.]+ px"))
    screen.click(page.get_by_role("button", name="As it was"))
    expect(main).to_contain_text("after 5b")
    screen.travel(page, -1)
    expect(main).to_contain_text(f"was {said('cat')['main']}")
    expect(blur).to_have_attribute("aria-valuetext", "8 px")

    screen.click(page.get_by_role("button", name="Change it within 1/255"), done=True)
    expect(page.get_by_text(re.compile("although no value changes by more than 1/255"))).to_be_visible()
    expect(page.locator(".fool-pictures img")).to_have_count(3)
    screen.chart(page, "fool-depth")
    for size, scheme in (("phone", "dark"), ("desktop", "light")):
        screen.resize(page, size, scheme)
        screen.assert_fits(page)
        assert not screen.serious_findings(page)
