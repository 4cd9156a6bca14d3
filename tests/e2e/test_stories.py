"""A story to click through, and the presentation: on one page, by mouse and keys."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from inception_model.images.samples import SAMPLES

from . import screen
from .conftest import OpenPage, Said


def test_a_story_and_then_the_presentation(new_page: OpenPage, app_url: str, said: Said) -> None:
    photo = next(sample.name for sample in SAMPLES if said(sample.name)["aux1"] != said(sample.name)["main"])
    aux1, main = said(photo)["aux1"], said(photo)["main"]
    page = new_page(script=screen.LEFT_TOUR)
    screen.open_app(page, f"{app_url}/?photo={photo}&teach=off")
    expect(page.locator(".look-formation")).to_contain_text(main)
    screen.click(page.get_by_role("button", name="Heads that disagree"))
    told(page, "Heads that disagree", re.compile(rf"aux1 says {aux1} \(\d+%\)"))
    screen.press(page.get_by_role("button", name="Next", exact=True), "Enter")
    told(page, f"{main} on its way", "hollow ones are probes")
    screen.resize(page, "phone")
    screen.press(page.get_by_role("button", name="Next", exact=True), "Enter")
    expect(page.get_by_role("heading", name=f"What speaks for {main} − {aux1}")).to_be_visible()
    told(page, f"Why {main} and not {aux1}", f"Red speaks for {main}")
    expect(page).to_have_url(re.compile("explain=contrast"))
    screen.click(page.get_by_role("button", name="Done", exact=True))
    expect(page.get_by_role("dialog")).to_have_count(0)

    screen.resize(page, (1920, 1080))
    size = text_size(page)
    screen.press(page, "p")
    expect(page).to_have_url(re.compile("present=on"))
    expect(page.locator("header.stAppHeader")).to_be_hidden()
    assert text_size(page) > 1.5 * size
    screen.press(page, "7")
    expect(page.get_by_role("heading", name="What the 1×1 reductions save")).to_be_visible()
    screen.press(page, "1")
    expect(page.locator(".st-key-map svg")).to_be_visible()
    screen.travel(page, -1)  # a key is a step as a click is
    expect(page.get_by_role("heading", name="What the 1×1 reductions save")).to_be_visible()
    screen.travel(page, 1)
    network = page.locator(".st-key-map svg").bounding_box()
    assert network
    assert network["width"] > 0.95 * 1920
    assert network["y"] + network["height"] <= 1080  # photo, heads and network without scrolling
    expect(page.get_by_role("button", name="Upload")).to_have_count(0)
    assert not screen.serious_findings(page)
    screen.press(page, "Escape")
    expect(page.locator("header.stAppHeader")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present"))


def told(page: Page, title: str, text: str | re.Pattern[str]) -> None:
    """The card says so, and lies beside the part of the page that it marks."""
    card, marked = page.get_by_role("dialog", name=title), page.locator("[data-tour=here]")
    expect(card).to_contain_text(text)
    expect(marked).to_have_count(1)
    screen.settle(page)
    assert not screen.overlap(card, marked)


def text_size(page: Page) -> float:
    """How high a heading's line is on the screen."""
    box = page.get_by_role("heading", name=re.compile("What speaks for")).first.bounding_box()
    assert box
    return float(box["height"])
