"""The app in a browser: from upload to the three answers, and from a click to its new picture."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e import screen
from tests.e2e.browser import launched
from tests.e2e.pictures import photo
from tests.e2e.server import running_app

from .timing import print_machine

TITLE = "The app in a browser, 1440x900"
ROUNDS = 9


def measured(act: Callable[[], object], seen: Callable[[], object]) -> float:
    """Milliseconds from an act to what one sees of it."""
    start = time.perf_counter()
    act()
    seen()
    return (time.perf_counter() - start) * 1e3


def uploads(page: Page) -> list[float]:
    """From handing over a new photo to the heads' answers for it."""
    found = []
    for turn in range(ROUNDS):
        name, data = f"turned-{turn}.png", photo("rocket", 5 + turn)
        shown = page.get_by_role("img", name=name).first
        found.append(
            measured(lambda n=name, d=data: screen.send(page, (n, d)), lambda s=shown: s.wait_for())  # type: ignore[misc]
        )
        screen.settle(page)
    return found


def channel_clicks(page: Page) -> list[float]:
    """From picking a channel of 4d's 5x5 branch to its map on the photo."""
    channels, picture = page.locator("[data-node='5x5']"), page.locator(".spot img").first
    found = []
    for _ in range(ROUNDS):
        channels.press("ArrowRight")
        before = picture.get_attribute("src") or ""
        found.append(
            measured(lambda: channels.press("Enter"), lambda b=before: expect(picture).not_to_have_attribute("src", b))  # type: ignore[misc]
        )
        screen.settle(page)
    return found


def main() -> None:
    """Prints median, best and worst of both."""
    print_machine()
    with running_app() as url, launched() as browser:
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        screen.open_app(page, url, seconds=120.0)
        rows = {"upload to answers": uploads(page)}
        screen.open_app(page, f"{url}/module")
        page.locator("[data-node='5x5']").focus()
        rows["click to picture"] = channel_clicks(page)
    for name, times in rows.items():
        print(f"{name:18} median {statistics.median(times):6.0f} ms  best {min(times):6.0f}  worst {max(times):6.0f}")
