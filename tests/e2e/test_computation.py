"""One computation in the browser: a position is clicked, the number followed by buttons, keys, mouse and by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from inception_model.drawing.numbers import number
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture

from . import access, screen
from .conftest import OpenPage
from .line import stand_at

SAYS = re.compile(r"How (4d) 5×5 (\d+), row (\d+), column (\d+) is computed: (\S+)")


@pytest.fixture(scope="module")
def opened(kept_page: OpenPage, app_url: str) -> Page:
    """The page Module at the desk, open for who follows a number and who watches it play."""
    page = kept_page()
    screen.open_app(page, f"{app_url}/module?photo=cat&module=4d&branch=5x5&teach=off")
    return page


def unasked_at(page: Page, branch: str) -> None:
    """At a branch, where nothing of a number is asked yet."""
    if figure(page).count():
        ask(page)
    stand_at(page, branch)
    expect(figure(page)).to_have_count(0)


def ask(page: Page) -> None:
    """The switch that shows a number's computation."""
    screen.click(page.get_by_text("Where does this number come from?"))


def figure(page: Page) -> Locator:
    return page.locator(".computation section")


def asked(page: Page) -> tuple[int, int, int, str]:
    """Channel, row, column and number that the figure speaks of."""
    told = SAYS.fullmatch(figure(page).get_attribute("aria-label") or "")
    assert told
    return int(told[2]), int(told[3]), int(told[4]), told[5]


def seen(page: Page) -> int:
    """Steps that can be seen."""
    return figure(page).locator("li:not(.later)").count()


@pytest.mark.timeout(300)
def test_a_number_is_followed_to_the_input(opened: Page, bundled_classifier: Classifier, cat: Photo) -> None:
    page = opened
    unasked_at(page, "4d/5x5")
    ask(page)
    first = asked(page)  # at the channel's peak, which may lie where the first click goes

    maps = capture(bundled_classifier, bundled_classifier.prepare(cat.image)).block("4d").node("5x5")[0]
    spot = page.locator(".spot")
    box = spot.bounding_box()
    assert box
    for at in ((box["width"] * 0.6, box["height"] * 0.6), (3, 3)):  # the second one is a corner of the map
        screen.click(spot, at=at)
        channel, row, column, told = asked(page)
        assert channel == first[0]
        assert told == number(float(maps[channel, row, column]))
    assert (row, column) == (0, 0)
    expect(figure(page)).to_contain_text("16 of 25 positions lie beyond the border")
    screen.press_quickly(spot, "ArrowRight", "ArrowDown")
    assert asked(page)[:3] == (channel, 1, 1)
    assert asked(page)[3] == number(float(maps[channel, 1, 1]))

    # By buttons and keys, where nothing may move.
    steps = figure(page).locator("li").count()
    assert seen(page) == steps == 7
    play = figure(page).get_by_role("button", name="Play")
    screen.click(play)
    assert seen(page) == 1
    screen.press(page, "ArrowRight", "ArrowRight")
    assert seen(page) == 3
    screen.press(page, "ArrowLeft")
    expect(figure(page).get_by_role("status")).to_have_text("Step 2 of 7")
    screen.click(figure(page).get_by_role("button", name="next step"))
    assert seen(page) == 3

    # Each square says its own product, under the mouse and on keys.
    screen.press(figure(page).get_by_role("slider").nth(1), "Home")
    grid, read = figure(page).get_by_role("slider").nth(1), figure(page).locator(".read").nth(1)
    expect(read).to_have_text(re.compile(r"· input 0 \(4c 1×1 0\)$"))
    screen.press(page, "ArrowRight", "ArrowDown")
    expect(read).to_have_text(re.compile(r"^[\d.−e]+ × [\d.−e-]+ = [\d.−e-]+ · input 55 \(4c 1×1 55\)$"))
    expect(grid).to_have_attribute("aria-valuetext", read.inner_text())
    screen.hover(grid, at=(4, 4))
    expect(read).to_have_text(re.compile(r"input 0 \(4c 1×1 0\)$"))
    found = [line for line in screen.serious_findings(page) if "computation" in line]
    assert not found, "\n".join(found)
    assert not [line for line in access.nameless(page) if "grid" in line]


@pytest.mark.timeout(300)
def test_it_plays_by_itself_and_ends_with_the_numbers_as_they_were(opened: Page) -> None:
    page = opened  # the last test on it: from here on what moves may move
    unasked_at(page, "4d/3x3")
    screen.let_move(page)
    ask(page)
    steps, before = figure(page).locator("li"), figure(page).locator("li").all_inner_texts()
    screen.click(figure(page).get_by_role("button", name="Play"))
    expect(steps.nth(1)).to_have_class(re.compile("later"))
    expect(figure(page).get_by_role("button", name="Pause")).to_be_visible()
    expect(figure(page).get_by_role("status")).to_have_text("Step 3 of 7")
    screen.click(figure(page).get_by_role("button", name="Pause"))
    held = seen(page)
    screen.pass_time(page, 2.5)  # longer than a step lasts
    assert seen(page) == held
    screen.click(figure(page).get_by_role("button", name="Play"))
    expect(figure(page).get_by_role("status")).to_have_text("Step 7 of 7")
    expect(figure(page).get_by_role("button", name="Play")).to_be_visible()
    screen.settle(page)
    assert steps.all_inner_texts() == before


def test_it_fits_a_phone(new_page: OpenPage, app_url: str) -> None:
    page = new_page("phone", "dark")
    screen.open_app(page, f"{app_url}/module?photo=cat&module=5b&branch=3x3&teach=off")
    screen.tap(page.get_by_role("button", name="the panel of the channel"))
    ask(page)
    screen.tap(figure(page).get_by_role("button", name="Play"))
    assert seen(page) == 1
    for _ in range(6):
        screen.tap(figure(page).get_by_role("button", name="next step"))
    box = figure(page).bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    screen.assert_fits(page)
