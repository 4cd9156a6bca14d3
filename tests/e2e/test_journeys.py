"""Journeys on one open page: a class along the time line, what a narrower reduction would cost, the map by keys.

Tab stops once at the network map, arrow keys go through its parts; on the phone it says that it goes on.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from . import screen
from .conftest import OpenPage, Said


@pytest.fixture(scope="module")
def opened(kept_page: OpenPage, app_url: str) -> Page:
    """The first page, without tour and lessons."""
    page = kept_page(script=screen.LEFT_TOUR)
    screen.open_app(page, f"{app_url}/?teach=off")
    return page


def at_look(page: Page) -> Page:
    """The first page of the app on the desktop, seen from its top."""
    screen.resize(page, "desktop")
    screen.go(page, "Look")
    page.get_by_test_id("stMain").evaluate("node => node.scrollTo(0, 0)")
    screen.settle(page)
    return page


def test_the_sentence_and_main_come_first_on_the_phone(opened: Page) -> None:
    page = at_look(opened)
    for size in ("desktop", "phone"):
        screen.resize(page, size)
        said, heads = page.locator(".scope-say").first, page.locator(".scope-head")
        main, aux1 = (heads.filter(has=page.get_by_role("heading", name=name)) for name in ("main", "aux1"))
        if size == "phone":
            assert screen.top(said) < screen.top(main) < screen.top(aux1)
        else:
            assert screen.top(aux1) == screen.top(main) < screen.top(said)


def test_a_class_along_the_time_line(opened: Page, said: Said) -> None:
    page = at_look(opened)
    screen.click(screen.film(page, "cat"))
    screen.go(page, "Heads")
    main = page.get_by_test_id("stMain")
    cat = said("cat")
    expect(page.get_by_role("figure", name=re.compile(f"Rank of {cat['main']}"))).to_be_visible()
    expect(main).to_contain_text(f"aux1 says {cat['aux1']}")
    expect(main).to_contain_text(re.compile(f"By probe {cat['main']} (first comes to rank 1 at|never comes to rank 1)"))
    screen.choose(page, "Follow", "lion")
    expect(page.get_by_role("figure", name=re.compile("Rank of lion"))).to_be_visible()
    screen.click(screen.film(page, "espresso"))
    expect(page.get_by_role("figure", name=re.compile("Rank of lion"))).to_be_visible()
    screen.settle(page)
    for head, words in screen.answers(page).items():
        assert "espresso" in words, head
    expect(
        page.get_by_role("img", name=re.compile("^main · at 5b · espresso: a signed map on espresso")).first
    ).to_be_visible()
    screen.assert_fits(page)


def test_what_a_narrower_reduction_would_cost(opened: Page) -> None:
    page = at_look(opened)
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


def test_one_stop_of_tab_arrows_inside_and_a_hint_on_the_phone(opened: Page) -> None:
    page = at_look(opened)
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

    # The film is one stop as well, and the first stop of all leads past it.
    film = page.get_by_role("button", name=re.compile("^look at "))
    assert film.evaluate_all("all => all.filter((each) => each.tabIndex === 0).length") == 1
    screen.focus(film.first)
    screen.press(page, "ArrowRight")
    expect(film.nth(1)).to_be_focused()
    screen.press(page, "End", "ArrowRight")
    expect(film.last).to_be_focused()
    skip = page.get_by_role("button", name="Skip to the page")
    assert page.evaluate("document.querySelector('button, a[href], [tabindex=\"0\"]').id") == "scope-skip"
    screen.press(skip, "Enter")
    expect(page.get_by_role("heading", name="Inside 4d")).to_be_focused()

    screen.resize(page, "phone")
    screen.go(page, "Look")
    hint = page.get_by_text("The network goes on to the right")
    expect(hint).to_be_visible()
    main, drawing = page.get_by_test_id("stMain"), page.locator(".scroll").first
    height = main.evaluate("node => node.scrollHeight")
    drawing.evaluate("node => { node.scrollLeft = 60; }")
    expect(hint).to_be_hidden()
    assert main.evaluate("node => node.scrollHeight") == height  # nothing moves under a finger that comes down
