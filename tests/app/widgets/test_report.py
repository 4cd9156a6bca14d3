"""The report in the app: made beside the page with that page's settings, offered with and without the photo."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.jobs.attribution import ask
from app.state import network, photos, selection, session
from app.widgets import report_button
from inception_model.architecture.variants import tiny
from inception_model.images.decode import Photo
from inception_model.inference.targets import Target
from inception_model.report import Findings, Settings
from inception_model.serving.service import InferenceService
from tests.random_networks import random_classifier

PHOTO = Photo(
    Image.fromarray(np.random.default_rng(5).integers(0, 255, (200, 320, 3), dtype=np.uint8)), "report-photo", "noise"
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[InferenceService]:
    """The tiny network behind a service, looking at noise."""
    service = InferenceService(random_classifier(tiny(), trained=("aux2", "main")))
    monkeypatch.setattr(network, "service", lambda: service)
    monkeypatch.setattr(photos, "first_photo", lambda: PHOTO)
    yield service
    service.close()


def page(*, head: str = "", steps: int = 0) -> None:
    """The control alone: as on Look, or with a head as on Why."""
    from app.jobs.attribution import ask
    from app.state import options, session
    from app.state.panel import panels
    from app.widgets import report_button
    from inception_model.inference.targets import Target

    session.set_option(options.WHY_LEDGER_STEPS, steps)
    question = ask("saliency", head, Target(2, 5, "thing 2 − thing 5"), None, "blur") if head else None  # type: ignore[arg-type]
    report_button.show(panels()[0], question)


def opened(**options: Any) -> AppTest:
    return good(AppTest.from_function(page, default_timeout=60, kwargs=options).run())


def good(test: AppTest) -> AppTest:
    assert not test.exception, test.exception[0].message
    return test


def test_the_report_of_why_has_its_head_target_and_method(small: InferenceService) -> None:
    test = opened(head="aux2", steps=2)
    assert not test.get("download_button")
    good(test.button(key="start-report-why").click().run())
    assert test.session_state["scope.works"]["report-why"].finished.wait(60)
    good(test.run())
    assert len(test.get("download_button")) == 1
    assert [toggle.label for toggle in test.toggle] == ["Without the photo and its name"]
    wanted = Settings(
        head="aux2",
        target=Target(2, 5, "thing 2 − thing 5"),
        methods=("saliency",),
        baseline="black",
        steps=2,
        checkpoint="tiny-imagenet",
    )
    found: Findings = small.recall((PHOTO.sha256, ("report", wanted, None, None)))
    assert found.facts["settings"]["head"] == "aux2"
    assert found.facts["settings"]["target"] == {"index": 2, "minus": 5, "name": "thing 2 − thing 5"}
    assert [said["method"] for said in found.facts["maps"]] == ["saliency"]
    assert found.facts["settings"]["steps"] == 2
    assert found.facts["ledger"]["wanted"] == wanted.error


def test_settings_follow_the_page(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "module", lambda: "5a")
    assert report_button.settings(None) == Settings(module="5a", checkpoint="tiny-imagenet")
    chosen = {"option.ablation.fill": "mean-blur", "option.why.baseline": "blur", "option.why.ledger.steps": 20,
              "option.why.ledger.error": 1.5, "option.why.ledger.limit": 90}  # fmt: skip
    monkeypatch.setattr(session, "get", lambda name, default: chosen.get(name, default))
    monkeypatch.setattr(network, "settings", lambda: ("~/private/mine.pth", "cpu", "float32"))
    target = Target(1, None, "thing 1")
    gradcam = report_button.settings(ask("gradcam", "main", target, "4d:5x5", "noise"))
    assert gradcam == Settings("main", target, ("gradcam",), "4d:5x5", "blur", (), "5a", 20, "mean-blur", "mine.pth",
                               error=1.5, limit=90)  # fmt: skip
    path = report_button.settings(ask("layer_conductance", "main", target, "4d", "noise", {"steps": 7}))
    assert (path.baseline, path.options) == ("noise", (("rule", "midpoint"), ("steps", 7)))


def test_a_report_that_is_stopped_can_be_asked_for_again(small: InferenceService) -> None:
    test = opened()
    good(test.button(key="start-report-look").click().run())
    work = test.session_state["scope.works"]["report-look"]
    work.cancel.set()
    assert work.finished.wait(60)
    good(test.run())
    assert not test.get("download_button")
    assert test.button(key="start-report-look").label == "Make a report"


def test_both_pages_draw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    views = Path(__file__).resolve().parents[3] / "app" / "views"
    for name in ("look", "why"):
        assert "report_button.show(" in (views / name / "page.py").read_text()


def test_nothing_is_offered_where_no_head_has_an_answer(
    small: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = dataclasses.replace(small.classifier.checkpoint, heads_trained=())
    monkeypatch.setattr(small, "classifier", dataclasses.replace(small.classifier, checkpoint=checkpoint))
    assert not opened().button
