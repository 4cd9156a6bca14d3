"""On the phone what was found stands above how it was asked for."""

from __future__ import annotations

from playwright.sync_api import Locator

from . import screen
from .conftest import OpenPage


def top(part: Locator) -> float:
    box = part.bounding_box()
    assert box
    return box["y"]


def test_the_sentence_and_main_come_first_on_the_phone(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.leave_tour(page.context)
    screen.open_app(page, f"{app_url}/?teach=off")
    for size in ("desktop", "phone"):
        screen.resize(page, size)
        said, heads = page.locator(".scope-say").first, page.locator(".scope-head")
        main, aux1 = (heads.filter(has=page.get_by_role("heading", name=name)) for name in ("main", "aux1"))
        if size == "phone":
            assert top(said) < top(main) < top(aux1)
        else:
            assert top(aux1) == top(main) < top(said)


def test_the_map_stands_above_the_choices_on_the_phone(new_page: OpenPage, app_url: str) -> None:
    page = new_page()
    screen.leave_tour(page.context)
    screen.open_app(page, f"{app_url}/why?teach=off")
    screen.settle(page, done=True)
    for size in ("desktop", "phone"):
        screen.resize(page, size)
        map_, method = page.locator(".why-map .stack").first, page.locator(".st-key-why-method")
        above, below = top(map_), top(map_) + float(map_.evaluate("node => node.offsetHeight"))
        if size == "phone":
            assert below < top(method)
            assert above < 844
        else:  # beside each other
            assert above < top(method) < below
