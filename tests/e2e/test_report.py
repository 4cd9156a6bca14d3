"""The journey of a report: made in the app, downloaded, and opened from a file by somebody without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from . import screen
from .conftest import OpenPage

SECONDS = 180.0
"""A report takes some seconds, but the machine may be busy."""

_PICTURES = "() => [...document.images].map((image) => [image.complete, image.naturalWidth, image.alt])"


@pytest.mark.timeout(400)
def test_a_report_is_complete_without_a_network(
    new_page: OpenPage, app_url: str, browser: Browser, tmp_path: Path
) -> None:
    page = new_page()
    screen.open_app(page, f"{app_url}?photo=cat")  # who comes by a link is not shown around
    screen.click(page.get_by_role("button", name="Make a report"), SECONDS)
    button = page.get_by_role("button", name="Download the report")
    expect(button).to_be_visible(timeout=SECONDS * 1000)
    screen.settle(page)
    shown = download(page, tmp_path / "shown.html")
    screen.click(page.locator(".st-key-report-private label"))
    # Until the page has answered, the button still stands for the file before.
    expect(page.get_by_text("report.html", exact=True)).to_be_visible()
    screen.settle(page)
    hidden = download(page, tmp_path / "hidden.html")
    screen.assert_fits(page)
    looks(browser, shown, "desktop", "light", name="cat")
    looks(browser, hidden, "phone", "dark", name=None)


def download(page: Page, path: Path) -> Path:
    """The report as the browser keeps it."""
    screen.download(page.get_by_role("button", name="Download the report")).save_as(path)
    return path


def looks(browser: Browser, path: Path, size: str, scheme: str, *, name: str | None) -> None:
    """The file opens offline, asks for nothing, shows every picture, fits the window, and axe finds nothing serious."""
    width, height = screen.SIZES[size]
    context = browser.new_context(
        offline=True,
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    screen.open_file(page, path)
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert said == []
    pictures = page.evaluate(_PICTURES)
    assert len(pictures) > 40
    assert all(complete and wide > 0 and words for complete, wide, words in pictures)
    facts = json.loads(page.locator("#manifest").text_content() or "")
    assert facts["image"]["name"] == name
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 20, 24)"}[scheme]
    assert screen.serious_findings(page) == []
    context.close()
