"""The app in a browser: from upload to the three answers, and from clicks to their new pictures.

With TORCHCAM_DEMO=/path/to/demo/app.py of a torch-cam checkout, its demo is driven the same way beside it.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.e2e import screen
from tests.e2e.browser import launched
from tests.e2e.pictures import photo
from tests.e2e.server import running_app

from .peer_demo import drive
from .stopwatch import timed
from .timing import print_machine

TITLE = "The app in a browser, 1440x900, from press to picture"
ROUNDS = 9

Act = Callable[[int], object]
"""What to do in round n: 0 warms up and is not counted."""


def repeated(page: Page, act: Act, selector: str) -> list[float]:
    """Milliseconds of each round but the first."""
    found = []
    for turn in range(ROUNDS + 1):
        found.append(timed(page, lambda n=turn: act(n), selector))  # type: ignore[misc]
        screen.settle(page)
    return found[1:]


def in_turns(*buttons: Locator) -> Act:
    """Clicks one after the other, so that each click changes something."""
    return lambda turn: buttons[turn % len(buttons)].click()


def look(page: Page, url: str) -> dict[str, list[float]]:
    """Uploads and the filmstrip. Every upload is a photo that the app has never seen."""
    screen.open_app(page, url, seconds=120.0)
    cards, films = "section[aria-label=main]", (screen.film(page, "cat"), screen.film(page, "espresso"))
    return {
        "upload to three answers": repeated(
            page, lambda n: screen.send(page, (f"turned-{n}.png", photo("rocket", 5 + n))), cards
        ),
        "filmstrip to answers": repeated(page, in_turns(*films), cards),
    }


def module(page: Page, url: str) -> dict[str, list[float]]:
    """Modules, channels and positions."""
    screen.open_app(page, f"{url}/module")
    strip = page.locator(".st-key-module-strip")
    found = {
        "module to its atlases": repeated(
            page, in_turns(*(strip.get_by_text(name, exact=True) for name in ("4b", "3a", "4e", "5a"))), ".figure"
        )
    }
    channels = page.locator("[data-node='5x5']")
    channels.focus()
    found["arrow key to a channel's first look"] = repeated(
        page, lambda _: channels.press("ArrowRight"), ".head .scope-title"
    )

    def pick(_: int) -> None:
        channels.press("ArrowRight")
        channels.press("Enter")

    found["channel to its map"] = repeated(page, pick, ".spot img")
    spot = page.locator(".spot").first
    found["position to four profiles"] = repeated(
        page, lambda n: spot.click(position={"x": 60 + 20 * n, "y": 90 + 10 * n}), ".st-key-channel-profiles .barlayer"
    )
    return found


def heads_why_cost(page: Page, url: str) -> dict[str, list[float]]:
    """Another class on the time line's page is a choice out of a list; here the switches that are one click."""
    screen.open_app(page, f"{url}/why")
    heads = page.locator(".st-key-why-head")
    names = ("aux1", "aux2", "main")
    found = {
        "head to its GradCAM": repeated(
            page, in_turns(*(heads.get_by_text(name, exact=True) for name in names)), ".why-map img"
        )
    }
    screen.open_app(page, f"{url}/cost")
    slider = page.get_by_role("slider").first
    slider.focus()
    found["cost slider to totals"] = repeated(page, lambda _: slider.press("ArrowRight"), ".cost")
    return found


def main() -> None:
    """Prints median, best and worst of each."""
    print_machine()
    with running_app() as url, launched() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        screen.leave_tour(context)
        page = context.new_page()
        rows = {**look(page, url), **module(page, url), **heads_why_cost(page, url)}
    print_rows(rows)
    clicks = [ms for name, times in rows.items() if not name.startswith("upload") for ms in times]
    print(f"all {len(clicks)} clicks: median {statistics.median(clicks):.0f} ms")
    demo = os.environ.get("TORCHCAM_DEMO")
    if demo is None:
        print("torch-cam's demo: not driven; its package leaves it out. TORCHCAM_DEMO=PATH/demo/app.py names a copy")
        return
    print("\ntorch-cam's demo, resnet18 (it has no GoogLeNet), its default method")
    print_rows(drive(Path(demo), ROUNDS))


def print_rows(rows: dict[str, list[float]]) -> None:
    """One line each."""
    for name, times in rows.items():
        print(f"{name:26} median {statistics.median(times):6.0f} ms  best {min(times):6.0f}  worst {max(times):6.0f}")
