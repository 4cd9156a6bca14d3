"""The Module page: every module, node and photo shape without an exception, and numbers that the trace holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.jobs import channels
from app.state import network, photos, selection
from app.state import session as kept
from app.state.panel import Panel
from app.state.selection import Unit
from app.views.module import atlas, channel, channel_facts
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.architecture.variants import TABLE_1, get_spec, tiny
from inception_model.images.decode import Photo
from inception_model.inference.trace import NODES
from inception_model.serving.service import InferenceService
from tests.random_networks import random_classifier

ROOT = Path(__file__).resolve().parents[4]


def photo(width: int, height: int) -> Photo:
    """Noise of that size."""
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Photo(Image.fromarray(pixels), f"{width}x{height}", f"{width} by {height}")


PANEL = Panel(photo(320, 200))


@pytest.fixture(scope="module")
def small() -> Iterator[InferenceService]:
    """The tiny network behind a service; of its heads only main counts as trained, as in torchvision's file."""
    service = InferenceService(random_classifier(tiny(), trained=("main",)), twins=1)
    yield service
    service.close()


@pytest.fixture
def at_work(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The state's functions on the tiny network and a plain dictionary: what pages call, without a browser."""
    session: dict[str, object] = {}
    monkeypatch.setattr(network, "service", lambda: small)
    monkeypatch.setattr(kept, "get", lambda name, default: session.get(name, default))
    monkeypatch.setattr(kept, "put", session.__setitem__)
    return session


def page(small: InferenceService, monkeypatch: pytest.MonkeyPatch, shown: Photo, **session: object) -> AppTest:
    """The page alone on the tiny network."""
    monkeypatch.setattr(network, "service", lambda: small)
    monkeypatch.setattr(photos, "first_photo", lambda: shown)
    test = AppTest.from_file(str(ROOT / "app" / "views" / "module" / "page.py"), default_timeout=60)
    for name, value in session.items():
        test.session_state[f"scope.{name.replace('__', '.')}"] = value
    return test.run()


def words(test: AppTest) -> str:
    return " ".join(str(element.proto.body) for element in test.get("html"))


@pytest.mark.parametrize("module", list(TABLE_1))
def test_every_module_opens(small: InferenceService, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    test = page(small, monkeypatch, photo(320, 200), module=module, option__module__opened=("input", "output"))
    assert not test.exception
    assert f"Inside {module}" in words(test)
    block = small.classifier.checkpoint.spec.block(module)
    assert f"{block.in_channels} channels come in" in words(test)


@pytest.mark.parametrize("node", NODES)
def test_every_node_shows_its_last_channel(small: InferenceService, monkeypatch: pytest.MonkeyPatch, node: str) -> None:
    layers = ("map", "cells", "receptive field", "measured support")
    shown = photo(90, 400)
    test = page(small, monkeypatch, shown, module="5b", node=node, channel=10_000, option__module__layers=layers)
    assert not test.exception
    last = small.look(shown).trace.block("5b").node(node).shape[1] - 1
    assert f"channel {last}" in words(test)
    assert "pushes main" in words(test)
    assert "pushes aux" not in words(test)


@pytest.mark.parametrize("size", [(64, 64), (700, 41), (33, 500)])
def test_any_shape_of_photo(small: InferenceService, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    test = page(small, monkeypatch, photo(*size), module="3a", option__module__scale="channel")
    assert not test.exception
    assert "own scale" in words(test)


def test_choices_are_kept(small: InferenceService, monkeypatch: pytest.MonkeyPatch) -> None:
    test = page(small, monkeypatch, photo(320, 200))
    by_key = {control.key: control for control in test.segmented_control}
    by_key["module-strip"].set_value("5a").run()
    {c.key: c for c in test.segmented_control}["module-sort"].set_value("mean").run()
    assert not test.exception
    assert "Inside 5a" in words(test)
    assert test.session_state["scope.module"] == "5a"
    assert test.session_state["scope.option.module.sort"] == "mean"


def test_columns_make_areas_to_scale() -> None:
    for name in ("paper", "inception5h"):
        for block in get_spec(name).blocks:
            counts = {kind: block.width(kind) + (block.reduce_width(kind) or 0) for kind in BRANCHES}
            columns = atlas.columns_for(counts)
            assert sum(columns.values()) <= atlas.WIDE
            assert min(columns.values()) >= 8
            assert list(columns) == list(BRANCHES)
            assert max(columns, key=lambda kind: columns[kind]) == max(counts, key=lambda kind: counts[kind])


@pytest.mark.usefixtures("at_work")
def test_the_figure_holds_every_channel_of_the_trace() -> None:
    view = atlas.View(sort="max", opened=("output",))
    data = atlas.figure_data((PANEL,), PANEL, "4a", view)
    block = PANEL.trace().block("4a")
    assert set(data["nodes"]) == set(NODES) - {"input"}
    for name, node in data["nodes"].items():
        values = block.node(name)[0]
        assert sorted(node["order"]) == list(range(len(values)))
        strongest = node["order"][0]
        assert float(node["max"][strongest]) == pytest.approx(float(values.max()), rel=0.01)  # three digits
    tops = {atlas.shared_scale((PANEL,), "4a", unit) for unit in BRANCH_UNIT.values()}
    assert tops == {float(block.output.max())}
    assert [share["channels"] for share in data["output"]["shares"]] == [
        network.spec().block("4a").width(kind) for kind in BRANCHES
    ]


@pytest.mark.usefixtures("at_work")
def test_positions_follow_the_photo_and_stay_on_the_map() -> None:
    selection.set_module("4c", "3x3")
    selection.set_node("3x3_reduce")
    unit = channel.current_unit((PANEL,), PANEL)
    node = PANEL.trace().block("4c").node("3x3_reduce")[0]
    assert unit.channel == int(node.amax(dim=(1, 2)).argmax())
    heatmap = node[unit.channel]
    assert heatmap[unit.row, unit.column] == heatmap.max()
    preprocessing = network.checkpoint().preprocessing
    for row, column in ((0, 0), (5, 9), (13, 13)):
        # The centre of a 14 x 14 unit is pixel 14 + 16 i of the network's square.
        x, y = preprocessing.to_photo((320, 200), 14 + 16 * column + 0.5, 14 + 16 * row + 0.5)
        channel.go_to_spot(PANEL, unit, x / 320, y / 200)
        found = channel.current_unit((PANEL,), PANEL)
        assert (found.row, found.column) == (row, column)
    peak = f"{int(heatmap.argmax()) // 14}, column {int(heatmap.argmax()) % 14} of 14 × 14; "
    assert peak in channel_facts.facts(PANEL, channel.current_unit((PANEL,), PANEL))["peak"]
    assert "at the cross" in channel_facts.facts(PANEL, channel.current_unit((PANEL,), PANEL))["peak"]
    channel.go_to_spot(PANEL, unit, 0.0, 1.0)
    assert (channel.current_unit((PANEL,), PANEL).row, channel.current_unit((PANEL,), PANEL).column) == (13, 0)
    selection.set_module("4d")
    assert channel.current_unit((PANEL,), PANEL).module == "4d"


@pytest.mark.usefixtures("at_work")
def test_picture_facts_and_support() -> None:
    selection.set_module("3b", "1x1")
    unit = channel.current_unit((PANEL,), PANEL)
    plain = channel_facts.picture(PANEL, unit, 1.0, ())
    mapped = channel_facts.picture(PANEL, unit, 1.0, ("map", "receptive field", "measured support"))
    assert plain.size == mapped.size == (320, 200)
    assert np.abs(np.asarray(plain, int) - np.asarray(mapped, int)).mean() > 5
    assert channel_facts.facts(PANEL, unit)["can see"].startswith("59 px, one unit every 8 px")
    assert channels.support_of(PANEL, unit).shape == (224, 224)
    assert "of the gradient within" in channel_facts.support_words(PANEL, unit)
    # A concatenated channel sees what its branch sees; the input's is the module before; 3a's comes from the stem.
    last = network.spec().block("3b").out_channels - 1
    assert channels.field_of(Unit("3b", "output", last, 0, 0)).size == 75
    assert np.array_equal(
        channels.support_of(PANEL, Unit("3b", "output", unit.channel, 3, 4)),
        channels.support_of(PANEL, Unit("3b", "1x1", unit.channel, 3, 4)),
    )
    assert channels.support_of(PANEL, Unit("3b", "input", 0, 3, 4)).any()
    assert channels.support_of(PANEL, Unit("3a", "input", 0, 3, 4)) is None
    assert channel_facts.support_words(PANEL, Unit("4a", "input", 0, 3, 4)).startswith("not measured")


@pytest.mark.usefixtures("at_work")
def test_pushes_name_only_trained_heads_and_say_what_is_exact() -> None:
    exact = channel_facts.pushes(PANEL, Unit("5b", "3x3", 0, 0, 0))
    assert list(exact) == ["pushes main"]
    assert "exact share" in exact["pushes main"]
    assert "by gradient" in channel_facts.pushes(PANEL, Unit("5b", "3x3_reduce", 0, 0, 0))["pushes main"]
    assert "by gradient" in channel_facts.pushes(PANEL, Unit("4a", "3x3", 0, 0, 0))["pushes main"]
    assert "4b " in channel_facts.readers(Unit("4a", "pool_proj", 0, 0, 0))


@pytest.mark.usefixtures("at_work")
def test_downloads_are_what_the_trace_holds() -> None:
    rows = list(csv.DictReader(io.StringIO(channel_facts.channels_csv(PANEL, "4b", "5x5"))))
    values = PANEL.trace().block("4b").node("5x5")[0]
    assert [float(row["mean"]) for row in rows] == pytest.approx(values.mean(dim=(1, 2)).tolist(), rel=1e-4)
    arrays = np.load(io.BytesIO(channel_facts.npz_bytes(PANEL, "4b")))
    assert sorted(arrays) == sorted(f"4b/{name}" for name in NODES)
    assert np.array_equal(arrays["4b/5x5"], values.numpy())
