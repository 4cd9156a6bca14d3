"""The journey through a module: map, channel, position, credit, the bench and parts of two modules switched off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from . import screen
from .conftest import OpenPage
from .pictures import photo


def pick(page: Page, box: str, name: str) -> None:
    """One of a segmented control or of pills, in the container of that key."""
    screen.click(page.locator(f".st-key-{box}").get_by_text(name, exact=True).first)


def changes(image: Locator, before: str | None, attribute: str = "src") -> None:
    """Waits until a picture is another one."""
    expect(image).not_to_have_attribute(attribute, before or "")


@pytest.mark.timeout(600)
def test_into_a_module_and_onto_the_bench(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, app_url)
    screen.upload(page, "launch.png", photo("rocket"))
    screen.click(page.locator("[data-go='4d/5x5']"))
    expect(page.get_by_role("heading", name="Inside 4d")).to_be_visible()
    channels = page.locator("[data-node='5x5']")
    screen.click(channels, at=(4, 4))
    title = page.locator(".st-key-channel-panel .scope-title")
    expect(title).to_have_text(f"4d · 5×5 · channel {channels.get_attribute('aria-valuenow')}")

    profile = screen.chart(page, "channel-profiles")
    before = profile.get_attribute("aria-label")
    spot = page.locator(".spot img").first
    box = spot.bounding_box()
    assert box
    screen.click(spot, at=(box["width"] / 2, box["height"] * 0.8))
    changes(profile, before, "aria-label")
    screen.settle(page)

    pick(page, "module-sort", "credit")
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text(re.compile(r"Strongest credit for .+ at main first: .+ from \+\d"))
    screen.click(page.locator("[data-node='5x5']"), at=(4, 4))
    expect(title).to_contain_text(re.compile(r"4d · 5×5 · channel \d+"))

    screen.click(page.locator(".st-key-bench-open").get_by_text("Open the bench"))
    picture, curve = page.locator(".bench img").first, page.locator(".st-key-bench-curve .stPlotlyChart")
    expect(curve).to_have_attribute("aria-label", re.compile("at the picked 90 it is"))
    shown, drawn = picture.get_attribute("src"), curve.get_attribute("aria-label")
    slider = page.locator(".st-key-bench-grating-frequency").get_by_role("slider")
    slider.focus()
    screen.press(slider, "ArrowRight")
    changes(picture, shown)
    changes(curve, drawn, "aria-label")
    expect(picture).to_have_attribute("alt", re.compile(r"grating \(orientation 90, frequency 12\.5"))
    screen.settle(page)
    screen.assert_fits(page)

    pick(page, "ablation-off", "5×5")
    pick(page, "module-strip", "5b")
    pick(page, "ablation-off", "1×1")
    expect(page.get_by_text(re.compile("Without 5×5 of 4d and 1×1 of 5b: 3 modules ran again"))).to_be_visible()
    screen.click(page.get_by_role("button", name="4d 5×5", exact=False))
    expect(page.get_by_text(re.compile("Without 1×1 of 5b: no module had to run again"))).to_be_visible()

    screen.resize(page, "phone")
    screen.assert_fits(page)
    screen.click(page.get_by_role("button", name="Look at this picture"))
    expect(page.get_by_role("button", name=re.compile(r"look at grating \(orientation 90"))).to_have_attribute(
        "aria-pressed", "true"
    )
    screen.assert_fits(page)
    found = screen.serious_findings(page)
    assert not found, "\n".join(found)
