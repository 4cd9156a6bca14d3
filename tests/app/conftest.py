"""What several files of page tests share: a page alone on the tiny network, and the session as a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from app.state import network, operator, session
from inception_model.architecture.variants import tiny
from inception_model.serving.service import InferenceService
from tests.app.asking import good
from tests.app.two_photos import CAT, CUP, VIEWS
from tests.random_networks import random_classifier


@pytest.fixture(scope="session", autouse=True)
def every_page_begins_as_the_apps_do() -> Iterator[None]:
    """AppTest reads no settings beside the script; of the app's, only this one changes what a page draws.

    Every AppTest looks through all installed packages for components, which takes longer than most pages: once is
    enough, nothing is installed meanwhile.
    """
    config.set_option("runner.magicEnabled", False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def small() -> Iterator[InferenceService]:
    """The tiny network with three trained heads behind a service."""
    service = InferenceService(random_classifier(tiny()))
    yield service
    service.close()


@pytest.fixture
def page(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """`page("look", beside=HASH, option=value)`: a page alone on the tiny network, the cat chosen."""
    monkeypatch.setattr(network, "service", lambda: small)

    def run(name: str, beside: str | None = CUP.sha256, **options: Any) -> AppTest:
        test = AppTest.from_file(str(VIEWS / name / "page.py"), default_timeout=60)
        test.session_state["scope.photo"] = CAT.sha256
        test.session_state["scope.beside"] = beside
        for option, value in {"why__methods": (), **options}.items():
            test.session_state[f"scope.option.{option.replace('__', '.')}"] = value
        return good(test.run())

    return run


@pytest.fixture
def kept(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the session keeps as a plain dictionary: the app's functions without a page; cat and cup are compared."""
    kept: dict[str, Any] = {"photo": CAT.sha256, "beside": CUP.sha256}
    monkeypatch.setattr(network, "service", lambda: small)
    monkeypatch.setattr(session, "get", lambda name, default: kept.get(name, default))
    monkeypatch.setattr(session, "put", kept.__setitem__)
    return kept


@pytest.fixture(scope="module", autouse=True)
def nothing_from_the_operator() -> Iterator[None]:
    """Before and after each file of tests the operator of the app has said nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (operator.FOLDER, operator.FETCH, operator.INDEX, operator.DATA):
            patch.setenv(name, "")  # remembered, and put back at the end, whatever a test sets
        yield
