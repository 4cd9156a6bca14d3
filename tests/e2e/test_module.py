"""The page Module. From a channel to what it answers most on the photos at hand, and to the picture that it looks for:
asked for, cancelled, made, and kept. And the journey through a module: map, channel, position, credit, the bench and
parts of two modules switched off."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from inception_model.checkpoints.checkpoint import BUNDLED
from inception_model.checkpoints.store import load
from inception_model.visualization.places import Place
from inception_model.visualization.tile_parts import Made, write_sheet
from inception_model.visualization.tiles import INDEX, Recipe, Tile, TileAtlas, index_of, sheet_name

from . import screen
from .conftest import FirstVisit, OpenPage
from .line import stand_at
from .pictures import photo

_COLOUR = "box => [...box.querySelector('canvas').getContext('2d').getImageData(4, 4, 1, 1).data].slice(0, 3)"


@pytest.fixture(scope="module")
def opened(kept_page: OpenPage, app_url: str) -> Page:
    """The page Module, open for both tests."""
    page = kept_page()
    screen.open_app(page, f"{app_url}/module?module=3a&branch=1x1")
    return page


def painted(channel: int) -> tuple[int, int, int]:
    """The colour of a channel's tile."""
    return 2 * channel, 255 - 2 * channel, 128


@pytest.fixture
def atlas(first_visit: FirstVisit) -> Iterator[None]:
    """An atlas of the bundled network in the app's cache folder: plain tiles for 3x3 of 3a, none for all else."""
    checkpoint, place = load(BUNDLED, fitted=False), Place("3x3", "3a")
    recipe, folder = Recipe("cpu", "float32", side=16), first_visit.cache / "atlas" / checkpoint.sha256[:16]
    made = {
        channel: Made(Tile(channel, 0, 2.0, 1.0, "cat", False), np.full((16, 16, 3), painted(channel), np.uint8))
        for channel in range(place.width(checkpoint.spec))
    }
    sheet = write_sheet(folder / sheet_name(place), made, len(made), recipe.side)
    whole = TileAtlas(folder, checkpoint.sha256, BUNDLED, recipe, {place: sheet})
    (folder / INDEX).write_text(json.dumps(index_of(whole, checkpoint.spec)))
    yield
    shutil.rmtree(folder)


def in_the_figure(page: Page) -> None:
    """The switch above the figure draws tiles in place of maps, for each cell its own; the pointer enlarges one."""
    cells = page.locator("[data-node='3x3']")
    switch = page.locator(".st-key-module-show")
    screen.click(switch.get_by_text("what it looks for"))
    expect(page.locator(".scope-cap").filter(has_text="128 of 368 are made so far")).to_be_visible()
    screen.hover(cells, at=(4, 4))
    tip = cells.page.locator(".figure .tip")
    expect(tip.locator("canvas")).to_be_visible()
    channel = int(re.sub(r"\D", "", tip.inner_text()))
    found = cells.evaluate(_COLOUR)
    assert np.abs(np.subtract(found, painted(channel))).max() < 8, (channel, found)
    screen.click(switch.get_by_text("activation on this photo"))
    assert np.abs(np.subtract(cells.evaluate(_COLOUR), painted(channel))).max() > 40


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("atlas")
def test_a_channel_gets_its_picture(opened: Page, first_visit: FirstVisit) -> None:
    page = opened
    screen.resize(page, "desktop")
    stand_at(page, "3a/1x1")
    in_the_figure(page)
    before = set(first_visit.cache.rglob("*.png"))
    strongest = page.locator(".strongest")
    strongest.scroll_into_view_if_needed()
    expect(strongest.get_by_role("heading", name="Strongest on the photos at hand")).to_be_visible()
    crops = strongest.get_by_role("img", name=re.compile(r"^\w+: channel \d+ of 3a 1×1 at [\d.]+$"))
    expect(crops).to_have_count(5)
    ask = page.get_by_role("button", name="What does it look for?")
    expect(page.locator(".looks-for")).to_have_count(0)
    screen.click(ask)
    screen.click(page.get_by_role("button", name="Cancel"))
    expect(page.get_by_text("Cancelled: nothing of it was kept.")).to_be_visible()
    screen.click(ask, done=True)
    picture = page.get_by_role("img", name=re.compile(r"What channel \d+ of 3a 1×1 looks for"))
    expect(picture).to_be_visible()
    said = page.locator(".looks-for figcaption")
    expect(said).to_contain_text(re.compile(r"is at [\d.]+, [\d.]+ times its peak on the sample photos"))
    expect(ask).to_have_count(0)
    found = [line for line in screen.serious_findings(page) if "looks-for" in line or "strongest" in line]
    assert not found, "\n".join(found)
    for size in ("phone", "desktop"):
        screen.resize(page, size)
        screen.assert_fits(page)
    assert len(set(first_visit.cache.rglob("*.png")) - before) == 1
    source = picture.get_attribute("src")
    screen.reload(page)
    expect(picture).to_have_attribute("src", source or "")


def pick(page: Page, box: str, name: str) -> None:
    """One of a segmented control or of pills, in the container of that key."""
    screen.click(page.locator(f".st-key-{box}").get_by_text(name, exact=True).first)


def changes(image: Locator, before: str | None, attribute: str = "src") -> None:
    """Waits until a picture is another one."""
    expect(image).not_to_have_attribute(attribute, before or "")


@pytest.mark.timeout(600)
def test_into_a_module_and_onto_the_bench(opened: Page) -> None:
    page = opened
    screen.resize(page, "desktop")
    screen.go(page, "Look")
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
