"""The picture that a channel looks for, on the Module page: asked for, watched, cancelled, kept."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import looks_for as jobs
from app.jobs.looks_for import Wanted
from app.state import network, options
from app.state.options import PictureKind
from app.state.selection import Unit
from app.views.module import looks_for
from inception_model.inference.trace import NODES, capture
from inception_model.serving.service import InferenceService
from inception_model.visualization.kept import KeptPictures
from inception_model.visualization.objectives import channel, negative
from inception_model.visualization.prefix import values_at
from inception_model.visualization.result import Natural, Visualization
from inception_model.visualization.settings import Settings
from tests.app.asking import PHOTO, done, good, opened, small
from tests.compare import assert_close
from tests.random_networks import noise_images

__all__ = ["opened", "small"]  # fixtures

Open = Callable[..., AppTest]
QUICK = Settings(steps=3, size=32)
SLOWLY = 42
"""What a page calls so many steps is one here."""


def quick(steps: int, pictures: int) -> Settings:
    return replace(QUICK, steps=steps // SLOWLY, pictures=pictures)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    monkeypatch.setattr(jobs, "Settings", quick)
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
    assert button(page).label == looks_for.KINDS["channel"].ask
    assert "looks-for" not in drawn(page)
    button(page).click()
    page = done(good(page.run()), "looks-for")
    unit = picked(small)
    assert f"What {looks_for.name_of(unit)} looks for" in drawn(page)
    made = jobs.known(unit, Wanted())
    assert made is not None
    assert made.settings == QUICK
    assert looks_for.words(unit, Wanted(), made)[:40] in drawn(page)
    assert not [found for found in page.button if found.key == "start-looks-for"]

    monkeypatch.setattr(jobs, "visualize", lambda *_, **__: pytest.fail("made again"))
    assert "looks for" in drawn(opened("module"))
    small._memory.drop_group(small._group)  # a restart: only the folder knows it
    assert "looks for" in drawn(opened("module"))


@pytest.mark.parametrize(("kind", "so_far"), [("channel", 1), ("negative", 1), ("diverse", jobs.DIVERSE)])
def test_while_it_is_made_the_page_shows_how_far_it_is(
    small: InferenceService, opened: Open, monkeypatch: pytest.MonkeyPatch, own_cache: Path, kind: PictureKind,
    so_far: int,
) -> None:  # fmt: skip
    whole = jobs.visualize

    def slow(*args: Any, preview: Any, progress: Any, **options: Any) -> Any:
        def told(step: int, pixels: np.ndarray) -> None:
            preview(step, pixels)

        def further(step: int, total: int) -> None:
            progress(step, total)
            time.sleep(0.05)

        return whole(*args, preview=told, progress=further, **options)

    monkeypatch.setattr(jobs, "visualize", slow)
    monkeypatch.setattr(jobs, "Settings", lambda steps, pictures: Settings(2000, size=32, pictures=pictures))
    page, wanted = opened("module", module__picture=kind), Wanted(kind)
    button(page).click()
    page = good(page.run())
    deadline = time.monotonic() + 60
    while " so far." not in drawn(page):
        assert time.monotonic() < deadline
        page = good(page.run())
    assert jobs.as_far_as(picked(small), wanted) is not None
    assert drawn(page).count("<img") == so_far
    next(found for found in page.button if found.key == "cancel-looks-for").click()
    page = good(page.run())
    while jobs.as_far_as(picked(small), wanted) is not None:
        assert time.monotonic() < deadline, "still at it after it was cancelled"
        time.sleep(0.02)
    assert button(page).label == looks_for.KINDS[kind].ask
    assert jobs.known(picked(small), wanted) is None
    assert not list(own_cache.rglob("*.png"))


def test_another_number_of_steps_is_another_answer_and_both_are_kept(
    small: InferenceService, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert options.MODULE_PICTURE_STEPS.default == Settings().steps
    assert options.MODULE_PICTURE_STEPS.default in looks_for.STEPS
    page, unit = opened("module"), picked(small)
    assert page.select_slider(key="module-picture-steps").value == Settings().steps
    told = {}
    for steps in (Settings().steps, 256):
        page = good(page.select_slider(key="module-picture-steps").set_value(steps).run())
        assert "looks-for" not in drawn(page), "no other picture stands for it"
        button(page).click()
        page = done(good(page.run()), "looks-for")
        made = jobs.known(unit, Wanted(steps=steps))
        assert made is not None
        assert made.settings.steps == steps // SLOWLY
        told[steps] = looks_for.words(unit, Wanted(steps=steps), made)
        assert f"changed in {steps // SLOWLY} steps" in drawn(page)
    assert len(set(told.values())) == 2
    monkeypatch.setattr(jobs, "visualize", lambda *_, **__: pytest.fail("made again"))
    page = good(page.select_slider(key="module-picture-steps").set_value(Settings().steps).run())
    assert f"changed in {QUICK.steps} steps" in drawn(page)
    again = opened("module", module__picture__steps=256)
    assert f"changed in {256 // SLOWLY} steps" in drawn(again)
    odd = opened("module", module__picture__steps=7)
    assert odd.select_slider(key="module-picture-steps").value == Settings().steps


def test_the_negative_and_several_pictures_are_answers_of_their_own(small: InferenceService, opened: Open) -> None:
    unit = picked(small)
    page, name = opened("module"), looks_for.name_of(unit)
    for kind, alts in (
        ("negative", [f"What {name} is most against"]),
        ("diverse", [f"What {name} looks for, {place} of {jobs.DIVERSE}" for place in range(1, jobs.DIVERSE + 1)]),
    ):
        page = good(page.segmented_control(key="module-picture").set_value(kind).run())
        assert button(page).label == looks_for.KINDS[kind].ask
        button(page).click()
        page = done(good(page.run()), "looks-for")
        made = jobs.known(unit, Wanted(kind))
        assert made is not None
        assert re.findall(r'alt="([^"]*)"', drawn(page)) == alts
        assert looks_for.KINDS[kind].title in drawn(page)
        assert (made.objective == jobs.objective_of(unit)) == (kind == "diverse")
        assert (made.objective == negative(jobs.objective_of(unit))) == (kind == "negative")
        assert len({picture.tobytes() for picture in made.pixels}) == len(alts)
    keys = {jobs.looks_for_job(unit, Wanted(kind, steps)).key for kind in looks_for.KINDS for steps in looks_for.STEPS}
    assert len(keys) == len(looks_for.KINDS) * len(looks_for.STEPS)
    assert jobs.known(unit, Wanted()) is None


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
        largest = float(map_.max())  # where a channel is nearly silent, rounding is not small beside its own values
        for number in {0, map_.shape[0] // 2, map_.shape[0] - 1}:
            objective = jobs.objective_of(Unit(module, node, number, 0, 0))
            (term,) = objective.terms
            values = values_at(classifier.network, x, objective.places)
            found = term.map(values[term.place])[0].relu().detach()
            if node == "input" and module == "3a":
                assert objective == channel(spec, f"conv2:{number}")
            elif node == "input" and found.shape != map_.shape[1:]:
                before = trace.block(names[names.index(module) - 1]).node("output")[0]
                assert_close(found, before[number], scale=float(before.max()))
            else:
                assert_close(found, map_[number], scale=largest)


def test_words_tell_strength_and_photo_or_that_nothing_came(small: InferenceService, tmp_path: Path) -> None:
    objective = channel(small.classifier.checkpoint.spec, "4d:5x5:1")
    noise = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), dtype=np.uint8)
    curve, strengths = np.zeros((3, 1), np.float32), np.array([6.0], np.float32)
    made = Visualization(objective, QUICK, noise, curve, strengths, Natural("cat", 2.5))
    unit = Unit("4d", "5x5", 1, 0, 0)
    assert "changed in 3 steps until channel 1 of 4d 5×5 is at 6, 2.4 times its peak" in looks_for.words(
        unit, Wanted(), made
    )
    assert "silent on every sample photo" in looks_for.words(
        unit, Wanted(), replace(made, natural=Natural("cat", -1.0))
    )
    assert "stayed grey" in looks_for.words(unit, Wanted(), replace(made, pixels=np.full_like(noise, 128)))
    assert KeptPictures().folder == tmp_path / "visualizations"


def test_words_of_the_other_kinds_say_what_was_lowered_and_how_far_several_reach(small: InferenceService) -> None:
    objective, unit = channel(small.classifier.checkpoint.spec, "4d:5x5:1"), Unit("4d", "5x5", 1, 0, 0)
    noise = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    curve, strengths = np.zeros((3, 3), np.float32), np.array([6.0, 5.0, 7.0], np.float32)
    made = Visualization(objective, replace(QUICK, pictures=3), noise, curve, strengths, Natural("cat", 2.5))
    told = looks_for.words(unit, Wanted("diverse"), made)
    assert told.startswith("Noise from 3 seeds, changed together in 3 steps and kept unlike each other, until channel ")
    assert "is at 5 to 7, 2.0 to 2.8 times its peak on the sample photos (cat, 2.5)." in told
    silent = replace(made, natural=Natural("cat", -1.0))
    assert "is at 5 to 7; it is silent on every sample photo." in looks_for.words(unit, Wanted("diverse"), silent)
    one = replace(made, objective=negative(objective), settings=QUICK, pixels=noise[:1], strengths=strengths[:1])
    told = looks_for.words(unit, Wanted("negative"), one)
    assert "is at −6 before its ReLU, 2.4 times its lowest on the sample photos (cat, −2.5)." in told
    never = replace(one, natural=Natural("cat", -1.0))
    assert "−6 before its ReLU; no sample photo brings it below zero." in looks_for.words(
        unit, Wanted("negative"), never
    )
    assert "stayed grey" in looks_for.words(unit, Wanted("negative"), replace(one, pixels=np.full_like(noise, 128)))
