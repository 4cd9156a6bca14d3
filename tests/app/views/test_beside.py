"""Two photos beside each other on every page: driven without a browser on a tiny network."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.figures import network_map
from app.jobs import attribution as why_answers
from app.jobs.map_quantities import mean_activations
from app.state import photos
from app.state.panel import Panel, panels
from app.views.heads import timeline as timeline_view
from app.views.module import atlas
from app.views.module.atlas import View
from app.widgets import filmstrip
from inception_model.analysis.timeline import timeline
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.numbers import number
from inception_model.images.decode import Photo
from inception_model.images.samples import sample_photo
from inception_model.inference.targets import Target
from inception_model.serving.service import InferenceService
from tests.app.shell import upload
from tests.app.state.test_links import address, opened, view
from tests.app.two_photos import CAT, CUP, data, done, names, words
from tests.compare import assert_close


def test_the_second_photo_comes_goes_and_changes_places(kept: dict[str, Any]) -> None:
    assert (photos.first_photo(), photos.beside_photo()) == (CAT, CUP)
    photos.select_photo(CUP.sha256)
    assert (photos.first_photo(), photos.beside_photo()) == (CUP, CAT)
    photos.set_beside(CUP.sha256)
    assert (photos.first_photo(), photos.beside_photo()) == (CAT, CUP)
    photos.set_beside("no such hash")
    assert photos.beside_photo() is CUP
    rocket = sample_photo("rocket")
    photos.select_photo(rocket.sha256)
    assert (photos.first_photo(), photos.beside_photo()) == (rocket, CUP)
    photos.set_beside(None)
    assert photos.beside_photo() is None
    assert filmstrip.next_photo() == sample_photo("astronaut").sha256
    kept["beside"] = rocket.sha256
    assert photos.beside_photo() is None, "a photo is not compared with itself"


def test_no_photo_goes_where_there_is_no_room_for_another(kept: dict[str, Any]) -> None:
    def mine(number: int) -> Photo:
        return Photo(CAT.image, f"{number:064x}", str(number))

    for count in range(photos.MAX_UPLOADS):
        photos.add_photo(mine(count))
    photos.set_beside(mine(0).sha256)
    chosen = photos.first_photo()
    assert photos.no_room_for(mine(99)) == f"at most {photos.MAX_UPLOADS} photos of yours are kept"
    assert photos.no_room_for(mine(7)) == ""
    with pytest.raises(ValueError, match="at most 24 photos"):
        photos.add_photo(mine(99))
    assert (photos.first_photo(), photos.beside_photo()) == (chosen, mine(0))
    assert len(photos.uploads()) == photos.MAX_UPLOADS
    assert photos.missing_photos() == []


@pytest.mark.usefixtures("kept")
def test_everything_that_a_panel_says_is_about_its_photo(small: InferenceService) -> None:
    cat, cup = panels()
    assert (cat.photo, cup.photo) == (CAT, CUP)
    assert (cat.first, cup.first) == (True, False)
    assert cat.trace() is small.look(CAT).trace
    assert cup.look() is small.look(CUP)
    assert (cat.widget_key("key"), cup.widget_key("key")) == ("key", "beside-key")
    assert cup.remember(("test", "name"), lambda: cup.photo.name) == "espresso"
    assert cup.recall(("test", "name")) == "espresso"
    assert cat.recall(("test", "name")) is None
    photos.set_beside(None)
    assert panels() == (Panel(CAT),)


@pytest.mark.usefixtures("kept")
def test_scales_are_those_of_both_photos(small: InferenceService) -> None:
    tops = [float(small.look(photo).trace.block("4d").output.max()) for photo in (CAT, CUP)]
    assert tops[0] != tops[1]
    both = panels()
    assert atlas.shared_scale(both, "4d", "5x5") == pytest.approx(max(tops))
    drawn = [atlas.figure_data(both, panel, "4d", View(sort="mean"))["nodes"]["3x3"] for panel in both]
    orders = [node["order"] for node in drawn]
    means = small.look(CAT).trace.block("4d").node("3x3")[0].mean(dim=(1, 2))
    assert orders[0] == orders[1] == tuple(means.argsort(descending=True, stable=True).tolist())


def test_without_a_second_photo_nothing_is_drawn_or_computed_twice(
    page: Callable[..., AppTest], small: InferenceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: set[str] = set()
    monkeypatch.setattr(small, "look", lambda photo, look=small.look, **_: (looked.add(photo.name), look(photo))[1])
    for name in ("look", "module", "heads", "why"):
        test = done(page(name, beside=None))
        assert not names(test)
        assert "From here on" not in words(test)
        assert not any(key.startswith("beside-") for key in test.session_state["scope.works"]), name
    assert looked == {"cat"}


def test_look_shows_both_answers_and_maps_on_one_scale(page: Callable[..., AppTest], small: InferenceService) -> None:
    test = page("look")
    assert names(test) == ["cat", "espresso", "cat", "espresso"], "photos and heads, then the maps"
    text = words(test)
    values = []
    for photo in (CAT, CUP):
        trace = small.look(photo).trace
        for head in small.classifier.trained_heads:
            best = small.classifier.top(trace.logits(head)[0], head, 1)[0]
            assert best.label.split(",")[0] in text
        values += [value for lanes in mean_activations(trace).values() for value in lanes.values()]
    assert f"{number(min(values))} {number(max(values))} mean activation" in text
    maps = [given["svg"] for given in data(test) if "svg" in given]
    found = [[float(shade) for shade in re.findall(r'fill-opacity="([\d.]+)"', svg)] for svg in maps]
    found = [[min(shades), max(shades)] for shades in found]
    assert len(found) == 2
    assert {min(f[0] for f in found), max(f[1] for f in found)} == {0.2, 1.0}
    assert found[0] != found[1], "only one of the two reaches both ends"


def test_module_shows_one_channel_with_both_peaks(page: Callable[..., AppTest], small: InferenceService) -> None:
    test = page("module")
    assert names(test) == ["cat", "espresso"] * 3, "atlas, channel, positions"
    channel = int(small.look(CAT).trace.block("4d").node("5x5")[0].amax(dim=(1, 2)).argmax())
    assert f"4d · 5×5 · channel {channel}" in [given.get("title") for given in data(test)]
    for photo in (CAT, CUP):
        heatmap = small.look(photo).trace.block("4d").node("5x5")[0, channel]
        row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
        assert f"{number(float(heatmap.max()))} at row {row}, column {column} of" in words(test)
        assert f"Row {row}, column {column}: one bar" in words(test)
    scale = max(float(small.look(photo).trace.block("4d").node("5x5")[0, channel].max()) for photo in (CAT, CUP))
    pictures = [given["alt"] for given in data(test) if "src" in given and "alt" in given]
    assert pictures == [
        f"4d · 5×5 · channel {channel} on {name}, brightest {number(scale)}; a cross at the position looked at"
        for name in ("cat", "espresso")
    ]
    assert "From here on: cat alone" in words(test)


def test_heads_follow_the_same_class_on_both(page: Callable[..., AppTest], small: InferenceService) -> None:
    test = done(page("heads"))
    lines = [timeline(small.classifier, small.look(CAT).trace)]
    lines.append(timeline(small.classifier, small.look(CUP).trace, lines[0].index))
    html = " ".join(e.proto.body for e in test.get("html"))
    for line in lines:
        assert timeline_view.in_words(line) in html
    for photo, line in zip((CAT, CUP), lines, strict=True):
        for step in line.steps:
            logits = small.look(photo).trace.logits(step.head)
            target = Target.parse(str(step.answer.index), small.classifier.checkpoint.labels, logits)
            question = why_answers.ask("gradcam", step.head, target, step.module, "black")
            assert small.recall((photo.sha256, question.key)) is not None
    assert names(test) == ["cat", "espresso"] * 6, "answers, charts, divergences, three maps"
    assert re.findall(r"a signed map on (\w+)", " ".join(given.get("html", "") for given in data(test))) == [
        "cat", "espresso",
    ] * 3  # fmt: skip


@pytest.mark.parametrize("shared", [True, False])
def test_why_asks_the_same_of_both(page: Callable[..., AppTest], small: InferenceService, shared: bool) -> None:
    test = done(page("why", why__method="input_x_gradient", why__beside__shared=shared, why__ends="largest"))
    assert names(test) == ["cat", "espresso"]
    labels = small.classifier.checkpoint.labels
    target = Target.parse("auto", labels, small.look(CAT).trace.logits("main"))
    question = why_answers.ask("input_x_gradient", "main", target, None, "black")
    found = [small.recall((photo.sha256, question.key)) for photo in (CAT, CUP)]
    for photo, attribution in zip((CAT, CUP), found, strict=True):
        score = float(target.score(small.look(photo).trace.logits("main"))[0])
        assert attribution.score == pytest.approx(score, rel=1e-5)
    tops = [number(float(attribution.heatmap.abs().max())) for attribution in found]
    assert tops[0] != tops[1]
    bars = [given["html"] for given in data(test) if "a signed map on" in given.get("html", "")]
    ends = [max(tops, key=float)] * 2 if shared else tops
    for bar, end in zip(bars, ends, strict=True):
        assert f">{end}<" in bar
    text = words(test)
    assert text.count("all values of the map added up") == 2
    assert "From here on: cat alone" in text


def test_quantities_that_take_time_are_asked_for_both(page: Callable[..., AppTest], small: InferenceService) -> None:
    test = done(page("look", look__colour="effect"))
    assert set(test.session_state["scope.works"]) == {"map-effect", "beside-map-effect"}
    sweeps = [small.recall((photo.sha256, ("ablation", "sweep", "zero"))) for photo in (CAT, CUP)]
    assert None not in sweeps
    assert words(test).count("logits when switched off, ") == 2, "a legend each: each speaks of its own answer"


def test_a_link_restores_both_and_follows() -> None:
    app = opened(photo="rocket", beside="cat")
    assert (view(app, "photo"), view(app, "beside")) == (sample_photo("rocket").sha256, CAT.sha256)
    assert names(app)[:2] == ["rocket", "cat"]
    assert (address(app, "photo"), address(app, "beside")) == ("rocket", "cat")


def test_an_upload_beside_is_asked_for_and_takes_its_place(photo_paths: dict[str, Path]) -> None:
    data = photo_paths["officer"].read_bytes() + b" "
    mine = upload(opened(photo="cat"), ("secret.jpg", data))
    sha = str(view(mine, "photo"))
    other = opened(photo="rocket", beside=sha[:12])
    assert sha[:12] not in words(other), "the browser may still have it"
    other.session_state["scope.browser.answered"] = True  # it has kept nothing
    other.run()
    assert sha[:12] in words(other)
    assert not names(other)
    upload(other, ("again.jpg", data))
    assert names(other)[:2] == ["rocket", "again.jpg"]
    assert (address(other, "photo"), address(other, "beside")) == ("rocket", sha[:12])
    assert "Uploads are never part of a link" not in words(other)


def test_joint_ends_reach_the_drawing(small: InferenceService) -> None:
    trace, spec = small.look(CAT).trace, small.classifier.checkpoint.spec
    values = mean_activations(trace)
    sides = dict.fromkeys(spec.module_names, 1)
    thumbs = network_map.thumbnails(trace)
    quantity = network_map.QUANTITIES["activation"]
    ends = (0.0, 2 * network_map.value_range(values, False)[1])
    drawn = network_map.map_svg(spec, quantity, values, sides, [], thumbs, None, ends)
    shades = [float(shade) for shade in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    wanted = [0.2 + 0.8 * values[m][kind] / ends[1] for m in spec.module_names for kind in BRANCHES]
    assert_close(shades, wanted, 0.006, scale=1.0)  # two digits are written
