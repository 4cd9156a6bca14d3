"""The network's square on the photo: by mouse, finger and keys, back again, by link and history, one for each photo."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
from playwright.sync_api import Locator, Page, expect

from inception_model.images.geometry import Box
from inception_model.images.preprocessing import TINY_IMAGENET
from inception_model.images.samples import sample_photo

from . import screen
from .conftest import OpenPage
from .pictures import photo

CAT = sample_photo("cat")  # 451 by 300: the usual square is 300 wide and moves to and fro
ENDS = {"left": "0,0,300", "right": "151,0,300"}


def square(page: Page, place: int = 0) -> Locator:
    return page.get_by_role("button", name=re.compile("^the square that the network sees")).nth(place)


def chosen(page: Page, name: str = "square") -> str | None:
    return parse_qs(urlsplit(page.url).query).get(name, [None])[-1]


def middle(target: Locator) -> tuple[float, float]:
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, target: Locator, right: float, down: float = 0) -> None:
    """By the mouse; it is let go and the app has answered afterwards."""
    x, y = middle(target)
    with screen.mouse_held(page, (x, y), (x + right / 2, y + down / 2), (x + right, y + down)):
        pass


def says(page: Page, text: str | None, name: str = "square") -> None:
    """The address comes to say so, and the app is at rest."""
    wanted = f"[?&]{name}={text.replace(',', '(,|%2C)')}(&|$)" if text else rf"^(?!.*[?&]{name}=)"
    expect(page).to_have_url(re.compile(wanted))
    screen.settle(page)


def enlarged(page: Page) -> np.ndarray:
    """The pixels on the canvas, (side, side, 3)."""
    values = page.locator(".input canvas").first.evaluate(
        "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"
    )
    return np.array(values, np.uint8).reshape(224, 224, 4)[..., :3]


def test_dragging_shows_the_input_at_once_and_letting_go_asks_the_network(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, app_url)
    before, length = screen.answers(page), page.evaluate("history.length")
    x, y = middle(square(page))
    with screen.mouse_held(page, (x, y), (x - 20, y), (x - 300, y)):
        expect(page.locator(".input")).to_be_visible()
        near = np.asarray(CAT.image.crop((0, 0, 300, 300)).resize((224, 224))).astype(float)
        assert np.abs(enlarged(page) - near).mean() < 6  # the browser's own, of a small JPEG
        assert (screen.answers(page), chosen(page)) == (before, None)
    says(page, ENDS["left"])
    assert screen.answers(page) != before
    assert page.evaluate("history.length") == length + 1
    expect(page.locator(".input")).to_be_hidden()
    screen.click(page.get_by_role("button", name="Enlarge the input"))
    wanted = TINY_IMAGENET.crop(CAT.image, Box(0, 0, 300, 300))
    assert np.array_equal(enlarged(page), np.asarray(wanted))
    assert page.locator(".input canvas").bounding_box()["width"] == 448  # type: ignore[index]
    after = screen.answers(page)
    screen.travel(page, -1)
    expect(page.get_by_role("button", name="Usual square")).to_be_hidden()
    screen.settle(page)
    assert screen.answers(page) == before
    assert np.array_equal(enlarged(page), np.asarray(TINY_IMAGENET.crop(CAT.image)))
    screen.travel(page, 1)
    says(page, ENDS["left"])
    assert screen.answers(page) == after

    # Corners, keys and the way back.
    screen.press(square(page), "Home")
    says(page, None)
    usual = before
    assert screen.answers(page) == usual
    drag(page, square(page).locator("[data-corner=se]"), -60, -60)
    expect(square(page)).to_have_attribute("aria-label", re.compile(r"sees: 2\d\d pixels wide, 7[56] from"))
    expect(page).to_have_url(re.compile("square="))
    screen.settle(page)
    assert screen.answers(page) != usual
    screen.double_click(square(page))
    says(page, None)
    assert screen.answers(page) == usual
    for keys, wanted in (
        (["ArrowLeft"] * 2, "64,0,300"),
        (["Shift+ArrowRight"] * 4, ENDS["right"]),
        (["-", "-", "ArrowUp"], "163,6,276"),
        (["+"] * 9, ENDS["right"]),
    ):
        screen.press(square(page), *keys)
        says(page, wanted)
    assert screen.answers(page) != usual
    screen.press(square(page), "Home")
    says(page, None)
    assert screen.answers(page) == usual

    name = "<img src=x onerror=alert(1)><b>.png"  # is text
    screen.upload(page, name, photo("rocket"))
    expect(page.locator(".scope-photo figcaption")).to_contain_text(f"{name}. In the square")
    expect(page.locator(".scope-photo :is(figcaption, p, span) *")).to_have_count(0)
    expect(page.locator(".scope-photo img")).to_have_attribute("alt", re.compile(re.escape(name)))


def test_a_finger_moves_it(new_page: OpenPage, app_url: str) -> None:
    page = new_page("phone")
    screen.open_app(page, app_url)
    before = screen.answers(page)
    x, y = middle(square(page))
    finger = page.context.new_cdp_session(page)
    for kind, right in (("touchStart", 0), ("touchMove", 10), ("touchMove", 40), ("touchMove", 200)):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x + right, "y": y}]})
    expect(page.locator(".input")).to_be_visible()
    screen.assert_fits(page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    says(page, ENDS["right"])
    assert screen.answers(page) != before


def test_a_link_carries_it_for_everybody_and_two_photos_have_one_each(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}/?photo=cat&square=10,10,40")
    expect(page.get_by_role("button", name="Usual square")).to_be_visible()
    square_says = screen.answers(page)
    fits_everybody_in_every_size(page)
    screen.click(screen.film(page, "rocket"))
    says(page, None)
    # Of texts that are no square, tests/app/views/look/test_square.py has more.
    screen.open_app(page, f"{app_url}/?photo=cat&square=%3Cb%3E{'9' * 5000}")
    expect(page.get_by_role("alert").filter(has_text="451 × 300 px, with a side of at least 16 px")).to_be_visible()
    assert screen.answers(page) != square_says
    screen.click(screen.film(page, "rocket"))
    screen.click(screen.film(page, "cat"))
    says(page, None)

    screen.click(page.get_by_role("button", name="Compare", exact=True))
    screen.click(page.get_by_role("button", name="compare with rocket", exact=True))
    says(page, "rocket", "beside")
    drag(page, square(page, 1), 400)
    says(page, "213,0,427", "beside-square")
    assert chosen(page) is None
    drag(page, square(page, 0), -400)
    says(page, ENDS["left"])
    assert chosen(page, "beside-square") == "213,0,427"
    screen.click(screen.film(page, "rocket"))  # they change places, and keep their squares
    says(page, ENDS["left"], "beside-square")
    assert chosen(page) == "213,0,427"


def fits_everybody_in_every_size(page: Page) -> None:
    """The enlarged input, by mouse and keys; the page is left as it was."""
    screen.click(page.get_by_role("button", name="Enlarge the input"))
    for size in screen.SIZES:
        screen.resize(page, size)
        screen.assert_fits(page)
        assert not screen.serious_findings(page)
    screen.click(page.get_by_role("button", name="close the enlarged input"))
    expect(page.locator(".input")).to_be_hidden()
    screen.press(page.get_by_role("button", name="Enlarge the input"), "Enter")
    expect(page.locator(".input")).to_be_visible()
    screen.press(page, "Escape")
    expect(page.locator(".input")).to_be_hidden()
    screen.resize(page, "desktop")
