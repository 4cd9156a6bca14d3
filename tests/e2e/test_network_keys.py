"""The network map by keys: Tab stops once, arrow keys go through the parts; on the phone it says that it goes on."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from . import screen
from .conftest import OpenPage


def held(page: Page) -> str:
    """The part of the drawing that has the focus."""
    return str(
        page.evaluate(
            """() => { let node = document.activeElement;
                       while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
                       return node?.dataset.go ?? ''; }"""
        )
    )


def walked(page: Page, key: str) -> str:
    screen.press(page, key)
    return held(page)


def stops(drawing: Locator) -> int:
    return drawing.locator("[data-go][tabindex='0']").count()


def test_one_stop_of_tab_arrows_inside_and_a_hint_on_the_phone(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.leave_tour(page.context)
    screen.open_app(page, f"{app_url}/?teach=off")
    drawing = page.locator(".st-key-map, .scroll").first
    assert drawing.locator("[data-go]").count() > 50
    assert stops(drawing) == 1
    screen.focus(page.locator("[data-go='4d/1x1']"))
    assert stops(drawing) == 1
    assert walked(page, "ArrowDown") == "4d/3x3"
    assert walked(page, "ArrowDown") == "4d/5x5"
    assert walked(page, "ArrowUp") == "4d/3x3"
    assert walked(page, "ArrowLeft") == "4d/3x3_reduce"
    assert walked(page, "ArrowLeft") == "4c/3x3"
    assert walked(page, "ArrowRight") == "4d/3x3_reduce"
    screen.press(page, "Shift+Tab")
    assert held(page) == ""
    screen.press(page, "Tab")
    assert held(page) == "4d/3x3_reduce"
    screen.press(page, "Enter")
    expect(page.get_by_role("heading", name="Inside 4d")).to_be_visible()
    expect(page).to_have_url(re.compile("node=3x3_reduce"))

    screen.resize(page, "phone")
    screen.go(page, "Look")
    hint = page.get_by_text("The network goes on to the right")
    expect(hint).to_be_visible()
    main, drawing = page.get_by_test_id("stMain"), page.locator(".scroll").first
    height = main.evaluate("node => node.scrollHeight")
    drawing.evaluate("node => { node.scrollLeft = 60; }")
    expect(hint).to_be_hidden()
    assert main.evaluate("node => node.scrollHeight") == height  # nothing moves under a finger that comes down
