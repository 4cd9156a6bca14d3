"""Two photos beside each other in a browser: in a link, chosen, seen on every page; and the contact sheet."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from . import screen
from .conftest import OpenPage, Said
from .line import stand_at
from .pictures import photo


@pytest.fixture(scope="module")
def mine(kept_page: OpenPage) -> Page:
    """One page for all tests."""
    return kept_page()


def alone(page: Page, app_url: str, name: str) -> None:
    """The first page at the desk with one photo, from wherever the page is."""
    if page.url == "about:blank":
        screen.open_app(page, app_url)
    screen.resize(page, "desktop")
    screen.go(page, "Look")
    switch = page.get_by_role("button", name="Compare", exact=True)
    if switch.get_attribute("aria-pressed") == "true":
        screen.click(page.get_by_role("button", name="take the second photo away"))
    expect(switch).to_have_attribute("aria-pressed", "false")
    screen.click(screen.film(page, name))
    expect(screen.film(page, name)).to_have_attribute("aria-pressed", "true")


def compare(page: Page, name: str) -> Locator:
    """The second filmstrip's button of a photo."""
    return page.get_by_role("button", name=f"compare with {name}", exact=True)


def names(page: Page) -> list[str]:
    """What stands above the halves of the page."""
    return page.locator(".scope-name").all_inner_texts()


def assert_fits_everywhere(page: Page) -> None:
    """At both window sizes; the page is left at the wide one."""
    for size in ("phone", "desktop"):
        screen.resize(page, size)
        screen.assert_fits(page)


def test_a_link_with_both_opens_for_somebody_else(mine: Page, new_page: OpenPage, app_url: str) -> None:
    mine.context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen.open_app(mine, f"{app_url}/look?module=5a&branch=3x3")
    expect(mine).to_have_url(re.compile(r"//[^/]+/\?.*module=5a"))
    alone(mine, app_url, "rocket")
    screen.click(mine.get_by_role("button", name="Compare", exact=True))
    screen.click(compare(mine, "cat"))
    expect(compare(mine, "cat")).to_have_attribute("aria-pressed", "true")
    screen.go(mine, "Module")
    copy = mine.get_by_role("button", name="Copy link")
    screen.click(copy)
    expect(mine.get_by_role("button", name="Copied")).to_be_visible()
    link = mine.evaluate("navigator.clipboard.readText()")
    assert link == mine.url
    assert "beside=cat" in link

    theirs = new_page("phone", "dark")
    screen.open_app(theirs, link)
    assert names(theirs)[:2] == ["rocket", "cat"]
    expect(theirs.get_by_role("heading", name="Inside 5a")).to_be_visible()
    assert not screen.serious_findings(theirs)
    # Where the browser refuses the clipboard the link lies there, selected.
    theirs.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    screen.click(theirs.get_by_role("button", name="Copy link"))
    by_hand = theirs.locator(".st-key-copy-link input")
    expect(by_hand).to_have_value(theirs.url)
    assert by_hand.evaluate("input => input.selectionEnd - input.selectionStart") == len(theirs.url)
    screen.assert_fits(theirs)


@pytest.mark.timeout(400)
def test_two_photos_on_every_page_by_keyboard(mine: Page, app_url: str, said: Said) -> None:
    page = mine
    alone(page, app_url, "cat")
    switch = page.get_by_role("button", name="Compare", exact=True)
    screen.press(switch, "Enter")
    expect(switch).to_have_attribute("aria-pressed", "true")
    assert names(page)[:2] == ["cat", "espresso"]
    screen.press(compare(page, "officer"), "Enter")
    expect(compare(page, "officer")).to_have_attribute("aria-pressed", "true")
    assert names(page) == ["cat", "officer"] * 2
    expect(page.get_by_role("region", name="main", exact=True)).to_have_count(2)
    expect(page.locator("svg[aria-label^='the network']")).to_have_count(2)
    assert_fits_everywhere(page)

    screen.go(page, "Module")
    stand_at(page, "4d/5x5")
    expect(page.locator(".figure")).to_have_count(2)
    channels = page.locator("[data-node='5x5']")
    screen.press(channels.nth(1), "Home", "ArrowRight", "Enter")
    channel = channels.nth(1).get_attribute("aria-valuenow")
    expect(page.locator(".st-key-channel-panel .scope-title")).to_have_text(f"4d · 5×5 · channel {channel}")
    # Both figures outline the picked channel, though nothing was sent to them again.
    expect(page.locator("[data-node='5x5'] .mark:visible")).to_have_count(2)
    expect(page.get_by_role("img", name=re.compile(rf"channel {channel} on (cat|officer)"))).to_have_count(2)
    assert_fits_everywhere(page)

    screen.go(page, "Heads")
    expect(page.get_by_role("img", name=re.compile("^aux1 .*a signed map on (cat|officer)"))).to_have_count(2)
    expect(page.get_by_role("figure", name=re.compile(f"^Probability of {said('cat')['main']}"))).to_have_count(2)
    assert_fits_everywhere(page)

    screen.go(page, "Why")
    expect(page.get_by_role("img", name=re.compile("^GradCAM at 5b .*on cat")).first).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^GradCAM at 5b .*on officer")).first).to_be_visible()
    screen.settle(page)
    assert names(page) == ["cat", "officer"]
    assert_fits_everywhere(page)

    screen.click(page.get_by_role("button", name="take the second photo away"))
    expect(page.locator(".scope-name")).to_have_count(0)


def test_the_contact_sheet_opens_with_several_uploads(mine: Page, app_url: str) -> None:
    page = mine
    alone(page, app_url, "cat")
    own = ("cat.png", "espresso.png", "rocket.png")
    screen.send(page, *((name, photo(name.removesuffix(".png"), 90)) for name in own))
    sheet = page.get_by_role("group", name="contact sheet", exact=True)
    expect(sheet.locator(".row")).to_have_count(len(own))  # and none of the samples
    screen.settle(page)
    for name in own:
        said = sheet.locator(".row", has_text=name).inner_text()
        assert len(re.findall(r"\d%", said)) == 3, said
    screen.click(page.get_by_role("button", name="surest first"))
    shares = [
        float(text.rstrip("%")) for text in sheet.locator(".row .says:nth-child(4) span:last-child").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    screen.press(sheet.get_by_role("button", name="open rocket.png"), "Enter")
    expect(screen.film(page, "rocket.png")).to_have_attribute("aria-pressed", "true")
    assert_fits_everywhere(page)
    assert not screen.serious_findings(page)
    sheet_file = screen.download(page.get_by_role("button", name="CSV", exact=True))
    assert sheet_file.path().read_text().count("\n") == len(own) + 1
