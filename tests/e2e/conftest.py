"""One app and one browser for all browser tests; a fresh browser profile for each page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from inception_model.drawing.numbers import short
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import Classifier

from .browser import launched
from .profiles import PATIENCE, Profile, Profiles
from .screen import SIZES, open_app
from .server import running_app

OpenPage = Callable[..., Page]
Said = Callable[[str], dict[str, str]]

expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True)
class FirstVisit:
    """What the first visitor of a fresh server saw, who came by a link to the cost page."""

    url: str
    cache: Path
    """The folder in which this server keeps what it has made or fetched."""
    headings: list[str]
    status: list[str]


@pytest.fixture(scope="session")
def first_visit(profiles: Profiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstVisit]:
    """A running app and its first visitor, the one who waits for torch and the network."""
    cache = tmp_path_factory.mktemp("cache")
    with running_app(env={**os.environ, "INCEPTIONSCOPE_CACHE": str(cache)}) as url:
        profile = profiles.take()
        page = profile.page
        open_app(page, f"{url}/cost", seconds=120.0)
        visit = FirstVisit(
            url, cache, page.get_by_role("heading").all_inner_texts(), page.get_by_role("status").all_inner_texts()
        )
        assert not profiles.give_back(profile)
        yield visit


@pytest.fixture(scope="session")
def app_url(first_visit: FirstVisit) -> str:
    """Address of the running app, already warm."""
    return first_visit.url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with launched() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Profiles:
    """The browser's profiles."""
    return Profiles(browser)


@contextmanager
def _pages(profiles: Profiles) -> Iterator[OpenPage]:
    """Opens pages, each in a browser profile of its own; in the end none of their scripts may have raised."""
    taken: list[Profile] = []

    def open_page(size: str = "desktop", scheme: str = "light", script: str = "") -> Page:
        taken.append(profiles.take(size, scheme, script))
        return taken[-1].page

    yield open_page
    errors = [error for profile in taken for error in profiles.give_back(profile)]
    assert not errors, f"the page's scripts raised: {errors}"


@pytest.fixture(scope="session")
def said(bundled_classifier: Classifier) -> Said:
    """`said(photo)`: each head's first answer for a sample photo, as the pages write it."""

    @cache
    def answers(name: str) -> dict[str, str]:
        heads = bundled_classifier.heads_of(bundled_classifier.prepare(sample_photo(name).image))
        return {head: short(bundled_classifier.top(heads.of(head)[0], head, 1)[0].label) for head in heads.present}

    return answers


@pytest.fixture
def new_page(profiles: Profiles) -> Iterator[OpenPage]:
    """`new_page(size="desktop", scheme="light")` opens a page of another person: a browser profile of its own.

    A `script` runs before any other in every document of that profile.
    """
    with _pages(profiles) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def kept_page(profiles: Profiles) -> Iterator[OpenPage]:
    """As `new_page`, but the page stays open for all tests of a file: to load one costs seconds of processor time."""
    with _pages(profiles) as open_page:
        yield open_page


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    """Both window sizes, one after the other."""
    return str(request.param)


@pytest.fixture
def page(new_page: OpenPage, size: str) -> Page:
    """A page in each of the two window sizes, light."""
    return new_page(size)
