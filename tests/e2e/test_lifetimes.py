"""Who closes the page, reloads it or goes on to another one leaves no work behind, and takes none from others."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from . import screen
from .conftest import OpenPage

PATIENCE = 180.0
TRIES = 3
"""The best of a few counts: a shared machine may stand still for a second."""
SPIN = 0.2
"""Seconds of processor time that tell how busy the machine is."""


def running(url: str) -> int:
    """Calculations on the server's workers, and those that wait for one."""
    with urllib.request.urlopen(f"{url}/api/load", timeout=30) as answer:
        found = json.load(answer)
    return int(found["running"]) + int(found["waiting"])


def seconds_until(condition: Callable[[], bool]) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + PATIENCE, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - begun


def waiting_for_others() -> float:
    """How many times as long as on a machine of one's own a computation takes here, at this moment."""
    begun, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < SPIN:
        pass
    return (time.monotonic() - begun) / SPIN


def begin_a_long_ledger(page: Page, url: str, gradients: int) -> None:
    """One that takes minutes; returns when it is on its way, with its bar on the page."""
    if page.url.startswith(url):
        screen.arrive(page)
        screen.go(page, "Why")
    else:
        screen.open_app(page, f"{url}/why")
    for label, text in (("With at most so many gradients", str(gradients)), ("Residual of every row below, %", "0.1")):
        field = page.get_by_role("spinbutton", name=label)
        screen.fill(field, text)
        screen.press(field, "Enter")
    screen.click(page.get_by_role("button", name="Make the ledger"))
    expect(page.locator(".st-key-watch-why-ledger")).to_be_visible()
    seconds_until(lambda: running(url) > 0)


def percent(page: Page) -> int:
    """How far the ledger is, as the page says."""
    said = re.search(r"(\d+)%", page.locator(".st-key-watch-why-ledger").inner_text())
    assert said
    return int(said[1])


@pytest.fixture(scope="module")
def visitor(kept_page: OpenPage) -> Callable[[], Page]:
    """The page of somebody who is here all the time; of somebody new once it is closed."""
    pages: list[Page] = []

    def visit() -> Page:
        if not pages or pages[-1].is_closed():
            pages.append(kept_page())
        return pages[-1]

    return visit


@pytest.mark.timeout(600)
def test_another_visitors_ledger_goes_on_when_one_leaves(
    visitor: Callable[[], Page], new_page: OpenPage, app_url: str
) -> None:
    staying, leaving = visitor(), new_page()
    begin_a_long_ledger(staying, app_url, 1980)
    begin_a_long_ledger(leaving, app_url, 1980)
    screen.leave(leaving, "close")
    before = percent(staying)
    expect(staying.locator(".st-key-watch-why-ledger")).not_to_contain_text(f" {before}%", timeout=PATIENCE * 1000)
    assert percent(staying) > before, "it goes on where it was, and does not begin again"
    screen.leave(staying, "another page")
    seconds_until(lambda: running(app_url) == 0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["another page", "reload", "close"])
def test_a_page_that_is_left_in_the_middle_of_a_long_ledger_frees_the_worker(
    visitor: Callable[[], Page], app_url: str, how: str
) -> None:
    seconds_until(lambda: running(app_url) == 0)
    took = []
    for number in range(TRIES):
        page = visitor()
        begin_a_long_ledger(page, app_url, 1990 - number)
        screen.leave(page, how)
        # In seconds of a machine that has nothing else to do than the app.
        took.append(seconds_until(lambda: running(app_url) == 0) / waiting_for_others())
        if min(took) < 1:
            break
    assert min(took) < 1, took
