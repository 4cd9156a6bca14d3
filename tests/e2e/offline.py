"""A browser without a network: what a file that the project writes shows to whoever was sent it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page

from . import screen


@dataclass(frozen=True)
class Offline:
    """The page, every address that it asks for, and what its scripts write to the console or raise."""

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@contextmanager
def offline(browser: Browser, size: str, scheme: str) -> Iterator[Offline]:
    """A page of that size and colour scheme in a profile of its own."""
    width, height = screen.SIZES[size]
    context = browser.new_context(
        offline=True,
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    found = Offline(context.new_page())
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    yield found
    context.close()
