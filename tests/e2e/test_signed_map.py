"""The map of the page Why on its photo: how strong it is, and the photo alone while one holds it."""

from __future__ import annotations

from playwright.sync_api import expect

from . import screen
from .conftest import OpenPage


def test_a_map_is_as_strong_as_chosen_and_gives_way_while_held(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.leave_tour(page.context)
    screen.open_app(page, f"{app_url}/why?method=gradcam")
    figure = page.locator(".why-map").first
    screen.settle(page, done=True)
    shown, map_, slider = figure.locator(".seen"), figure.locator(".seen .map"), figure.get_by_role("slider")
    expect(map_).to_have_css("opacity", "0.85")
    expect(figure.locator(".seen path")).to_have_count(2)
    screen.press(slider, "Home", *["ArrowRight"] * 6)
    expect(map_).to_have_css("opacity", "0.3")
    others = page.locator(".why-map .seen .map")
    assert {other.evaluate("node => getComputedStyle(node).opacity") for other in others.all()} == {"0.3"}
    screen.reload(page)
    screen.settle(page, done=True)
    expect(map_).to_have_css("opacity", "0.3")

    figure.locator(".stack").scroll_into_view_if_needed()
    box = figure.locator(".stack").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    expect(shown).to_be_hidden()
    page.mouse.up()
    expect(shown).to_be_visible()
    button = figure.get_by_role("button", name="Hold to see the photo")
    screen.focus(button)
    page.keyboard.down("Space")
    expect(shown).to_be_hidden()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.keyboard.up("Space")
    expect(shown).to_be_visible()
