"""A page on the tiny network with chosen options, and what it says: what tests of several pages share."""

from __future__ import annotations

import html
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.jobs import attribution
from app.state import network, operator, photos
from inception_model.architecture.variants import tiny
from inception_model.images.decode import Photo
from inception_model.inference.targets import Target
from inception_model.serving.service import InferenceService
from tests.random_networks import random_classifier

VIEWS = Path(__file__).resolve().parents[2] / "app" / "views"
PIXELS = np.random.default_rng(5).integers(0, 255, (200, 320, 3), dtype=np.uint8)
PHOTO = Photo(Image.fromarray(PIXELS), "noise-photo", "noise")
FAST = {
    "why.integrated_gradients.steps": 4,
    "why.smoothgrad.samples": 2,
    "why.gradient_shap.samples": 2,
    "why.occlusion.window": 112,
    "why.occlusion.stride": 112,
    "why.superpixels.segments": 3,
    "why.layer_conductance.steps": 4,
}


@pytest.fixture(scope="module")
def small() -> Iterator[InferenceService]:
    """The tiny network behind a service; its first auxiliary head counts as never trained."""
    service = InferenceService(random_classifier(tiny(), trained=("aux2", "main")))
    yield service
    service.close()


@pytest.fixture
def opened(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """`opened("why", option=value, ...)`: the page on the tiny network with these choices, the gallery empty."""
    monkeypatch.setattr(network, "service", lambda: small)
    monkeypatch.setattr(photos, "first_photo", lambda: PHOTO)
    pages: list[AppTest] = []

    def run(view: str, **options: Any) -> AppTest:
        test = AppTest.from_file(str(VIEWS / view / "page.py"), default_timeout=60)
        for name, value in {"why__methods": (), **options}.items():
            test.session_state[f"scope.option.{name.replace('__', '.')}"] = value
        pages.append(test)
        return good(test.run())

    yield run
    for page in pages:  # what nobody waits for must not keep the next test waiting
        for work in page.session_state["scope.works"].values() if "scope.works" in page.session_state else ():
            work.cancel.set()


def good(test: AppTest) -> AppTest:
    assert not test.exception, test.exception[0].message
    return test


def done(test: AppTest, slot: str) -> AppTest:
    """Looks again until the work of that place on the page is done."""
    deadline = time.monotonic() + 90
    while any(button.key == f"cancel-{slot}" for button in test.button):
        assert time.monotonic() < deadline, "still calculating"
        time.sleep(0.05)
        good(test.run())
    return test


def words(test: AppTest) -> str:
    """Everything that the page draws as HTML, as one reads it: without tags, entities as their characters."""
    bodies = " ".join(element.proto.body for element in test.get("html"))
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", bodies, flags=re.S))


def question(method: str, target: Target, **changes: Any) -> attribution.Question:
    return attribution.ask(method, "main", target, "5b", "black", changes)


def recalled(small: InferenceService, key: object) -> Any:
    return small.recall((PHOTO.sha256, key))


def best(small: InferenceService) -> Target:
    return Target.parse("auto", small.classifier.checkpoint.labels, small.look(PHOTO).trace.logits("main"))


def choose_file(test: AppTest, path: Path) -> AppTest:
    """The same app after the operator has named the file's folder and a visitor has chosen the file in the sidebar.

    The folder stays named until the tests of this file end (`conftest.nothing_from_the_operator`).
    """
    os.environ[operator.FOLDER] = str(path.parent)
    return good(good(test.run()).selectbox(key="checkpoint").set_value(path.name).run())
