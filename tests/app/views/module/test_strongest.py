"""The strongest parts of photos beside the picked channel, and the map on the page Model, with an index and without."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.charts.image_map import MOST as MOST_POINTS
from app.charts.image_map import Scatter, image_map_figure, image_map_words
from app.jobs import examples as jobs
from app.state import examples as state
from app.state import network, operator
from app.state.selection import Unit
from app.views.model import image_map
from app.views.module import strongest
from app.widgets.chart import DRAWN
from inception_model.analysis.receptive_field import receptive_field
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.store import save
from inception_model.circuits.concepts import CONCEPTS, along, groups
from inception_model.circuits.connections import unit_of
from inception_model.drawing.crops import crop_of
from inception_model.drawing.numbers import number, percent
from inception_model.examples.building import Data, build_index
from inception_model.examples.compact import compact_path, save_compact
from inception_model.examples.index import load_index
from inception_model.examples.mapping import place_images
from inception_model.images.geometry import Box
from inception_model.images.samples import sample_photos
from inception_model.inference.classifier import build
from inception_model.inference.trace import capture
from inception_model.serving.service import InferenceService
from inception_model.visualization.places import Place
from tests.app.asking import good, words
from tests.app.chart_data import drawn
from tests.app.two_photos import CAT, data
from tests.examples.made import image_folder
from tests.random_networks import random_classifier

NAMES = ("one", "three", "two", "four", "five", "six", "seven")
"""The network's classes: the folders of `image_folder`, and others."""
PLACE, CHANNEL = Place("5x5", "4d"), 2
"""A channel that answers the cat and images of the index; the page Module begins at this place."""
LATER = frozenset({"channel-strongest", "model-images"})


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[InferenceService, Path, Path]:
    """The tiny network from a file, the folder of an index of twelve images, and the images' own."""
    folder = tmp_path_factory.mktemp("indexed")
    found = random_classifier(tiny()).checkpoint
    labels = tuple(replace(label, wnid=name) for label, name in zip(found.labels, NAMES, strict=True))
    classifier = build(save(replace(found, labels=labels), folder / "small.safetensors"), "cpu")
    root = image_folder(folder / "data")
    place_images(build_index(classifier, Data(root, "validation"), folder / "index"), "pca")
    service = InferenceService(classifier)
    yield service, folder / "index", root
    service.close()


@pytest.fixture
def app(
    indexed: tuple[InferenceService, Path, Path], page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """`app("module", index=..., data=...)`: the page with what the operator names, and everything that comes later."""
    service, folder, root = indexed
    monkeypatch.setattr(network, "service", lambda: service)
    monkeypatch.setattr(network, "settings", lambda: (str(folder.parent / "small.safetensors"), "cpu", "float32"))

    def run(name: str, index: Path | None = folder, data: Path | None = root) -> AppTest:
        for variable, value in ((operator.INDEX, index), (operator.DATA, data)):
            monkeypatch.setenv(variable, "" if value is None else str(value))
        found = page(name, beside=None)
        found.session_state[f"scope.{DRAWN}"], found.session_state["scope.channel"] = LATER, CHANNEL
        return good(found.run())

    return run


def crops(page: AppTest, heading: str) -> list[str]:
    """The texts under the crops below a heading."""
    markup = " ".join(str(each.get("html", "")) for each in data(page))
    (section,) = re.findall(rf"<h4>{heading}</h4>(.*?)</section>", markup, re.S)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", section)
    return [html.unescape(re.sub(r"<[^>]+>", "", text)).strip() for text in captions]


def features_of(folder: Path) -> np.ndarray:
    rows = pq.read_table(folder / "images.parquet").column("features").to_pylist()
    return np.asarray([row for row in rows if row is not None])


def test_every_user_sees_where_the_photos_at_hand_are_strongest(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path]
) -> None:
    service = indexed[0]
    page = app("module", index=None, data=None)
    peaks = {
        photo.name: float(
            capture(service.classifier, service.classifier.prepare(photo.image))
            .block("4d")
            .node("5x5")[0, CHANNEL]
            .max()
        )
        for photo in sample_photos()
    }
    wanted = sorted(((value, name) for name, value in peaks.items() if value > 0), reverse=True)
    assert crops(page, "Strongest on the photos at hand") == [f"{number(value)} {name}" for value, name in wanted]
    assert "among images" not in words(page)


def test_a_crop_is_what_the_peak_sees(kept: dict[str, object], small: InferenceService) -> None:
    photo = sample_photos()[0]
    found = jobs.peaks(photo)
    unit = Unit("3b", "3x3", 0, 0, 0)
    (crop, *_) = jobs.strongest_at_hand(unit, [(photo, found)])
    heatmap = small.look(photo).trace.block("3b").node("3x3")[0, 0].numpy()
    row, column = (int(value) for value in np.unravel_index(heatmap.argmax(), heatmap.shape))
    preprocessing = small.classifier.preprocessing
    box = preprocessing.box_to_photo(
        photo.size, receptive_field(tiny(), "3b", "3x3").box(row, column, preprocessing.size)
    )
    field = receptive_field(tiny(), "3b", "3x3")
    spot = preprocessing.to_photo(photo.size, field.centre(column) + 0.5, field.centre(row) + 0.5)
    assert crop.value == number(float(heatmap.max()))
    assert crop.src == jobs._drawn(photo, jobs.Example(0, 0.0, 0, 0, box, spot))


def test_a_crop_is_the_box_of_the_photo_and_a_cross_tells_where_an_edge_has_cut_it() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels)
    assert np.array_equal(crop_of(photo, Box(10, 20, 40, 50), (25.0, 35.0), side=30), pixels[20:50, 10:40])
    cut = np.asarray(crop_of(photo, Box(0, 20, 30, 50), (4.0, 35.0), side=30))
    assert (cut[15, 4] == 255).all()
    assert crop_of(photo, Box(10, 20, 40, 30), (25.0, 25.0), side=30).size == (30, 10)
    assert crop_of(photo, Box(79.6, 59.7, 90, 90), (79.8, 59.9), side=30).size[0] >= 1


def test_an_index_says_how_strong_the_peak_is_and_draws_its_crops(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path]
) -> None:
    service, folder, _ = indexed
    page = app("module")
    found = load_index(folder, service.classifier.checkpoint)
    peak = float(service.look(CAT).trace.block("4d").node("5x5")[0, CHANNEL].max())
    share = found.share_below(PLACE, CHANNEL, peak)
    told = "all" if share >= 1 else f"{int(share * 1000) / 10:.1f}% of"
    assert f"stronger than on {told} 10 images (data, validation)" in words(page)
    for kind, heading in strongest.TITLES.items():
        examples = found.examples(kind, PLACE, CHANNEL)[: jobs.MOST]
        names = [network.label(int(found.labels[example.image])) for example in examples]
        wanted = [f"{number(e.value)} {name}" for e, name in zip(examples, names, strict=True)]
        assert crops(page, heading.format(used="10")) == wanted


def test_without_the_data_the_classes_are_named(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path], tmp_path: Path
) -> None:
    page = app("module", data=None)
    assert state.usable() is not None
    markup = " ".join(str(each.get("html", "")) for each in data(page))
    assert crops(page, "Strongest of 10 images") == []
    found = load_index(indexed[1], indexed[0].classifier.checkpoint)
    counts = Counter(int(found.labels[example.image]) for example in found.examples("activation", PLACE, CHANNEL))
    named = ", ".join(f"thing {label} ({count})" for label, count in counts.most_common())
    assert f"Of the 9 strongest: {named}." in markup
    assert "Their pixels are not on this server." in markup
    assert strongest.index_words({"cat": 5, "dog": 1, "cup": 2, "car": 1}, True) == (
        "Of the 9 strongest: cat (5), cup (2), dog; 1 shows another class."
    )
    (tmp_path / "one").mkdir()
    CAT.image.save(tmp_path / "one" / "0.png")
    told = words(others := app("model", data=tmp_path))  # one cat is not what was indexed
    assert f"the images in {tmp_path.name} are others than those that were indexed" in told
    assert str(tmp_path.parent) not in told
    assert crops(others, "Most alike") == []


def test_concepts_of_the_index_lie_over_the_photo(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path]
) -> None:
    page = app("module")
    page.toggle(key="module-concepts").set_value(True).run()
    page.segmented_control(key="module-concepts-of").set_value("index")
    page = good(page.slider(key="module-concepts-count").set_value(3).run())
    service, folder, _ = indexed
    index = load_index(folder, service.classifier.checkpoint)
    assert index.sample is not None
    found = groups(index.sample.of("4d"), 3)
    activations = service.look(CAT).trace.block("4d").output[0].numpy()
    left = along(activations, found.directions).left
    (markup,) = [text for each in data(page) if '<ol class="concepts">' in (text := str(each.get("html", "")))]
    told = f"by every channel&#39;s peak, of whose squares these groups leave over {percent(found.left)}"
    assert f"Found in 10 images {told}" in markup
    assert f"They leave over {percent(left)} of 4d&#39;s squared activations on this photo" in markup
    strongest = unit_of(service.classifier.checkpoint.spec, "4d", int(found.directions[0].argmax()))
    assert f'data-unit="{strongest}"' in markup
    shares = found.shares[0]
    first = [int(index.sample.images[at]) for at in np.argsort(-shares, kind="stable") if shares[at] > 0][:9]
    counts = Counter(network.label(int(index.labels[image])) for image in first)
    assert f"strongest: {', '.join(f'{name} ({n})' if n > 1 else name for name, n in counts.most_common(3))}" in markup
    assert markup.count("an indexed image with much of it") == 9


def test_without_an_index_concepts_are_the_photos_own(app: Callable[..., AppTest]) -> None:
    page = app("module", index=None, data=None)
    page = good(page.toggle(key="module-concepts").set_value(True).run())
    assert page.slider(key="module-concepts-count").value == CONCEPTS
    assert "module-concepts-of" not in page.session_state


def test_the_file_beside_the_weights_is_used_where_no_folder_is_named(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path]
) -> None:
    service, folder, _ = indexed
    path = compact_path(folder.parent / "small.safetensors")
    save_compact(load_index(folder, service.classifier.checkpoint), path)
    try:
        page = app("module", index=None)
        assert "10 images (data, validation)" in words(page)
        known = load_index(folder, service.classifier.checkpoint).examples("activation", PLACE, CHANNEL)
        assert len(crops(page, "Strongest of 10 images")) == min(len(known), jobs.MOST) > 0
        path.write_bytes(b"nothing")
        assert state.usable() is None
        with pytest.raises(CheckpointError, match=r"small\.examples\.safetensors can't be used"):
            state.index()
    finally:
        path.unlink()


def test_another_network_s_index_is_told_on_model_and_used_nowhere(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path], tmp_path: Path
) -> None:
    manifest = json.loads((indexed[1] / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "checkpoint": "f" * 64}))
    told = words(app("model", index=tmp_path))
    assert "No index is shown" in told
    assert "ffffffffffff" in told
    assert str(tmp_path) not in told
    assert state.usable() is None
    assert image_map.COMMAND in words(app("model", index=None))


def test_the_map_has_a_point_for_every_image_and_the_photo_where_its_features_lie(
    app: Callable[..., AppTest], indexed: tuple[InferenceService, Path, Path]
) -> None:
    service, folder, _ = indexed
    page = app("model")
    (proto,) = [each.proto for each in page.get("plotly_chart") if each.proto.id.endswith("model-images")]
    spec = json.loads(proto.spec)
    found = load_index(folder, service.classifier.checkpoint)
    assert found.map is not None
    features = service.look(CAT).trace.block("5b").output[0].mean(dim=(1, 2)).numpy()
    assert (spec["data"][-1]["x"], spec["data"][-1]["y"]) == tuple([value] for value in found.map.place(features))
    main = int(service.look(CAT).trace.logits("main")[0].argmax())
    rings = next(trace for trace in spec["data"] if trace["name"] == "main")
    assert len(rings["x"]) == int((found.answers["main"][found.map.images] == main).sum())
    assert f"main ({network.label(main)}) {len(rings['x'])}" in words(page)
    images = features_of(folder)
    cosine = images @ features / np.linalg.norm(images, axis=1)
    near = found.map.images[np.argsort(-cosine)][: image_map.NEAREST].tolist()
    assert crops(page, "Most alike") == [network.label(int(found.labels[image])) for image in near]


def test_a_chart_of_many_images_draws_some_and_all_that_are_answered_alike() -> None:
    rng = np.random.default_rng(0)
    points, alike = rng.normal(size=(4000, 2)), np.arange(4000) % 100 == 3
    names = [f"<b>{at}" for at in range(4000)]
    found = Scatter(
        points, names, {"aux1": alike, "main": ~alike & (np.arange(4000) < 50)}, "a&b", (1.0, 2.0), ("x", "y")
    )
    traces = {trace["name"]: trace for trace in drawn(image_map_figure(found))["data"]}
    assert list(traces) == ["other images", "aux1", "main", "the photo"]
    assert len(traces["other images"]["x"]) == MOST_POINTS
    assert traces["aux1"]["text"] == [f"&lt;b&gt;{at}" for at in np.flatnonzero(alike)]
    assert np.array_equal(traces["aux1"]["x"], points[alike, 0])
    assert traces["the photo"]["text"] == ["<b>a&amp;b</b>"]
    assert "aux1 40, main 49" in image_map_words(found)
