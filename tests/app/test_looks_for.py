"""The picture that a channel looks for, on the Module page: asked for, watched, cancelled, kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import looks_for as jobs
from app.state import network
from app.state.selection import Unit
from app.views.module import looks_for
from inception_model.inference.trace import NODES, capture
from inception_model.serving.service import InferenceService
from inception_model.visualization.kept import KeptPictures
from inception_model.visualization.objectives import channel
from inception_model.visualization.prefix import values_at
from inception_model.visualization.result import Natural, Visualization
from inception_model.visualization.settings import Settings
from tests.app.asking import PHOTO, done, good, opened, small
from tests.compare import assert_close
from tests.random_networks import noise_images

__all__ = ["opened", "small"]  # fixtures

Open = Callable[..., AppTest]
QUICK = Settings(steps=3, size=32)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    monkeypatch.setattr(jobs, "Settings", lambda: QUICK)
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_known(small: InferenceService) -> Iterator[None]:
    """Each test's network has forgotten what the one before asked."""
    yield
    small._memory.drop_group(small._group)


def button(page: AppTest) -> Any:
    return next(found for found in page.button if found.key == "start-looks-for")


def drawn(page: AppTest) -> str:
    """The markup that the page draws for the picture."""
    found = [element.proto for element in page.get("bidi_component")]
    ours = [proto for proto in found if "looks-for" in proto.id]
    told = [json.loads(proto.mixed.json if proto.HasField("mixed") else proto.json)["html"] for proto in ours]
    return " ".join(told)


def picked(small: InferenceService) -> Unit:
    """The channel that the page shows at first."""
    return Unit("4d", "5x5", int(small.look(PHOTO).trace.block("4d").node("5x5")[0].mean(dim=(1, 2)).argmax()), 0, 0)


def test_a_button_makes_the_picture_and_what_is_known_is_shown_at_once(
    small: InferenceService, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened("module")
    assert button(page).label == looks_for.ASK
    assert "looks-for" not in drawn(page)
    button(page).click()
    page = done(good(page.run()), "looks-for")
    unit = picked(small)
    assert f"What {looks_for.name_of(unit)} looks for" in drawn(page)
    made = jobs.known(unit)
    assert made is not None
    assert looks_for.words(unit, made)[:40] in drawn(page)
    assert not [found for found in page.button if found.key == "start-looks-for"]

    monkeypatch.setattr(jobs, "visualize", lambda *_, **__: pytest.fail("made again"))
    assert "looks for" in drawn(opened("module"))
    small._memory.drop_group(small._group)  # a restart: only the folder knows it
    assert "looks for" in drawn(opened("module"))


def test_while_it_is_made_the_page_shows_how_far_it_is(
    small: InferenceService, opened: Open, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    whole = jobs.visualize

    def slow(*args: Any, preview: Any, progress: Any, **options: Any) -> Any:
        def told(step: int, pixels: np.ndarray) -> None:
            preview(step, pixels)

        def further(step: int, total: int) -> None:
            progress(step, total)
            time.sleep(0.05)

        return whole(*args, preview=told, progress=further, **options)

    monkeypatch.setattr(jobs, "visualize", slow)
    monkeypatch.setattr(jobs, "Settings", lambda: Settings(steps=2000, size=32))
    page = opened("module")
    button(page).click()
    page = good(page.run())
    deadline = time.monotonic() + 60
    while "The picture so far" not in drawn(page):
        assert time.monotonic() < deadline
        page = good(page.run())
    assert jobs.as_far_as(picked(small)) is not None
    next(found for found in page.button if found.key == "cancel-looks-for").click()
    page = good(page.run())
    while jobs.as_far_as(picked(small)) is not None:
        assert time.monotonic() < deadline, "still at it after it was cancelled"
        time.sleep(0.02)
    assert button(page).label == looks_for.ASK
    assert jobs.known(picked(small)) is None
    assert not list(own_cache.rglob("*.png"))


@pytest.mark.parametrize("module", ["3a", "3b", "4a", "5b"])
def test_every_node_has_its_convolution(small: InferenceService, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """The objective reads the values whose ReLU the node's channel is; an input's, before any pool."""
    monkeypatch.setattr(network, "service", lambda: small)
    classifier, spec = small.classifier, small.classifier.checkpoint.spec
    x = noise_images(1)
    trace = capture(classifier, x)
    names = spec.module_names
    for node in NODES:
        map_ = trace.block(module).node(node)[0]
        for number in {0, map_.shape[0] // 2, map_.shape[0] - 1}:
            objective = jobs.objective_of(Unit(module, node, number, 0, 0))
            (term,) = objective.terms
            values = values_at(classifier.network, x, objective.places)
            found = term.map(values[term.place])[0].relu().detach()
            if node == "input" and module == "3a":
                assert objective == channel(spec, f"conv2:{number}")
            elif node == "input" and found.shape != map_.shape[1:]:
                before = trace.block(names[names.index(module) - 1]).node("output")[0, number]
                assert_close(found, before)
            else:
                assert_close(found, map_[number])


def test_words_tell_strength_and_photo_or_that_nothing_came(small: InferenceService, tmp_path: Path) -> None:
    objective = channel(small.classifier.checkpoint.spec, "4d:5x5:1")
    noise = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), dtype=np.uint8)
    curve, strengths = np.zeros((3, 1), np.float32), np.array([6.0], np.float32)
    made = Visualization(objective, QUICK, noise, curve, strengths, Natural("cat", 2.5))
    unit = Unit("4d", "5x5", 1, 0, 0)
    assert "changed in 3 steps until channel 1 of 4d 5×5 is at 6, 2.4 times its peak" in looks_for.words(unit, made)
    assert "silent on every sample photo" in looks_for.words(unit, replace(made, natural=Natural("cat", -1.0)))
    assert "stayed grey" in looks_for.words(unit, replace(made, pixels=np.full_like(noise, 128)))
    assert KeptPictures().folder == tmp_path / "visualizations"
