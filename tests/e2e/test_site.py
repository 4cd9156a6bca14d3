"""The website of an atlas, opened from a file by somebody without a network: an address, a search, a circuit's step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from inception_model.architecture.variants import tiny
from inception_model.report.site import write_site
from inception_model.visualization.places import Place
from inception_model.visualization.tile_parts import Made, write_sheet
from inception_model.visualization.tiles import Recipe, Tile, TileAtlas, sheet_name
from tests.random_networks import random_classifier

from . import screen
from .offline import offline


@pytest.mark.timeout(120)
def test_a_site_needs_no_server(browser: Browser, tmp_path: Path) -> None:
    network, place = random_classifier(tiny()), Place("1x1", "3a")
    made = {
        channel: Made(Tile(channel, 0, 2.0, 1.0, "cat", False), np.full((16, 16, 3), 60 * channel, np.uint8))
        for channel in range(place.width(network.checkpoint.spec))
    }
    sheet = write_sheet(tmp_path / sheet_name(place), made, len(made), 16)
    recipe = Recipe("cpu", "float32", side=16)
    write_site(network, TileAtlas(tmp_path, "", "random", recipe, {place: sheet}), tmp_path / "site")

    with offline(browser, "phone", "dark") as seen:
        page, asked, said = seen.page, seen.asked, seen.said
        screen.open_file(page, tmp_path / "site" / "index.html")
        page.evaluate("location.search = '?unit=3a:1x1:2'")
        picked = page.locator("#picked")
        expect(picked.get_by_role("heading")).to_have_text("3a:1x1:2")
        expect(picked).to_contain_text("at 2, 2.0 times its peak on the sample photos (cat, 1)")
        assert page.url.endswith("/3a.html#3a:1x1:2")
        reader = picked.locator("li a").first
        name = reader.inner_text()
        reader.evaluate("link => link.click()")
        expect(picked.get_by_role("heading")).to_have_text(name)
        assert f"/3b.html#{name}" in page.url
        expect(picked.locator(".large.none")).to_be_visible()

        page.locator("header .home").evaluate("link => link.click()")
        search = page.locator("#search")
        for text, found in (("4d:pool:1", "4d:pool:1"), ("thing 3", "5b:"), ("9z:1", "Nothing is called “9z:1”")):
            search.evaluate("(box, text) => { box.value = text; box.dispatchEvent(new Event('input')); }", text)
            expect(page.locator("#found li").first).to_contain_text(found)
        screen_wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(screen_wide)
        assert {url.partition(":")[0] for url in asked} == {"file"}
        assert any(url.endswith(".webp") for url in asked)
        assert said == []
        found_by_axe = screen.serious_findings(page)
        assert not found_by_axe, found_by_axe
