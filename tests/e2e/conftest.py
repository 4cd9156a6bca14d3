"""One app and one browser for all browser tests; a fresh browser profile for each page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from .browser import launched
from .screen import SIZES
from .server import running_app

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """Address of the running app."""
    with running_app() as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with launched() as chromium:
        yield chromium


@pytest.fixture
def new_page(browser: Browser) -> Iterator[OpenPage]:
    """`new_page(size="desktop", scheme="light")` opens a page of another person: a browser profile of its own."""
    contexts = []

    def open_page(size: str = "desktop", scheme: str = "light") -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            has_touch=size == "phone",
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    """Both window sizes, one after the other."""
    return str(request.param)


@pytest.fixture
def page(new_page: OpenPage, size: str) -> Page:
    """A page in each of the two window sizes, light."""
    return new_page(size)
