"""The atlas on the Module page: tiles in place of maps, the picked channel's own, and what is said without any."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.jobs import looks_for as jobs
from app.state import network, options, tiles
from app.state.selection import Unit
from app.views.module import figure_tiles, looks_for
from inception_model.architecture.address import parse_unit
from inception_model.architecture.spec import BRANCHES
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.circuits.pictures import name_of
from inception_model.cost.layers import node_widths
from inception_model.drawing.encoding import data_url, jpeg_bytes
from inception_model.inference.trace import NODES
from inception_model.serving.service import InferenceService
from inception_model.visualization.atlas_building import build_atlas, named_places
from inception_model.visualization.places import Place
from inception_model.visualization.tiles import Recipe, TileAtlas, cached_folder, sheet_name
from tests.app.asking import good, opened, words
from tests.random_networks import random_classifier

__all__ = ["opened"]  # a fixture

RECIPE = Recipe("cpu", "float32", steps=0, size=32, side=16, batch=32)


@pytest.fixture(scope="module")
def small() -> Iterator[InferenceService]:
    """The tiny network as if it came from a file."""
    made = random_classifier(tiny(), trained=("main",))
    service = InferenceService(replace(made, checkpoint=replace(made.checkpoint, sha256="ab" * 32)))
    yield service
    service.close()


@pytest.fixture(scope="module")
def cache(small: InferenceService, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with an atlas of 4c, 4d and conv2."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INCEPTIONSCOPE_CACHE", str(folder))
        place = cached_folder(small.classifier.checkpoint)
    spec = small.classifier.checkpoint.spec
    build_atlas(small.classifier, place, RECIPE, named_places(["4c", "4d", "conv2"], spec), photos=())
    return folder


@pytest.fixture
def at_work(small: InferenceService, cache: Path, monkeypatch: pytest.MonkeyPatch) -> InferenceService:
    monkeypatch.setattr(network, "service", lambda: small)
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(cache))
    return small


def test_every_channel_of_every_node_gets_its_own_tile(at_work: InferenceService) -> None:
    spec, atlas = network.spec(), tiles.atlas()
    assert atlas is not None
    data = figure_tiles.data_of("4d", NODES)
    widths = node_widths(spec.block("4d"))
    for node in NODES:
        found = data["nodes"][node]
        assert sum(part["count"] for part in found) == widths[node]
        for channel in (0, widths[node] - 1):
            objective = jobs.objective_of(Unit("4d", node, channel, 0, 0))
            (term,) = objective.terms
            left = channel
            for part in found:  # as the browser looks it up
                if left < part["count"]:
                    break
                left -= part["count"]
            assert f"{part['sheet']}:{left}" == objective.name
            sheet = data["sheets"][part["sheet"]]
            encoded = sheet["src"].removeprefix("data:image/webp;base64,")
            side, columns = sheet["side"], sheet["columns"]
            with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
                corner = (left % columns * side, left // columns * side)
                cut = image.convert("RGB").crop((*corner, corner[0] + side, corner[1] + side))
            assert np.array_equal(np.asarray(cut), np.asarray(atlas.picture(term.place, left)))
            assert sheet["missing"] == []
    first = figure_tiles.data_of("3a", ("input", "1x1"))
    assert list(first["sheets"]) == ["conv2"], "there are no tiles of 3a"
    assert [part["sheet"] for part in first["nodes"]["1x1"]] == ["3a:1x1"]
    assert (
        tiles.made_in("4d")[0]
        == tiles.made_in("4d")[1]
        == sum(spec.block("4d").width(kind) + (spec.block("4d").reduce_width(kind) or 0) for kind in BRANCHES)
    )
    assert tiles.made_in("3a")[0] == 0


def test_without_an_atlas_the_command_is_told(
    at_work: InferenceService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tiles.missing() == ""
    assert tiles.version()
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    assert "There is no atlas of this checkpoint yet: `inceptionscope atlas build`" in tiles.missing()
    assert tiles.version() == ""
    assert figure_tiles.data_of("4d", NODES) == {}
    assert jobs.tile_of(Unit("4d", "5x5", 0, 0, 0)) is None
    monkeypatch.setattr(network, "settings", lambda: ("/secret/weights one.pth", "cpu", "float32"))
    assert "atlas build --checkpoint 'weights one.pth'`" in tiles.missing()


def test_an_atlas_of_other_weights_is_refused_by_name(
    at_work: InferenceService, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "atlas" / ("cd" * 8)
    shutil.copytree(cache / "atlas" / ("ab" * 8), folder)
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    other = replace(at_work.classifier.checkpoint, sha256="cd" * 32)
    monkeypatch.setattr(network, "checkpoint", lambda: other)
    with pytest.raises(CheckpointError, match="made for a checkpoint with sha256 abababab"):
        tiles.atlas()
    assert tiles.usable() is None
    assert "sha256 abababab" in tiles.missing()


def test_a_damaged_sheet_is_told(
    at_work: InferenceService, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(cache / "atlas", tmp_path / "atlas")
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    assert figure_tiles.missing("4d", ()) == ""
    sheet = next((tmp_path / "atlas").rglob("4d.5x5.webp"))
    sheet.write_bytes(sheet.read_bytes()[:-40])
    assert "the tiles in 4d.5x5.webp can't be used" in figure_tiles.missing("4d", ())
    assert figure_tiles.data_of("4d", ("5x5",)) == {}
    assert figure_tiles.missing("4c", ()) == "", "its own are whole"
    assert "4d.5x5.webp" in figure_tiles.missing("4e", ("input",)), "unfolded, its input is 4d"
    sheet.unlink()
    assert "the tiles in 4d.5x5.webp can't be used" in figure_tiles.missing("4d", ())


def test_the_page_shows_tiles_and_the_picked_channels_own(
    at_work: InferenceService, opened: Callable[..., AppTest]
) -> None:
    page = opened("module", module__show="tiles")
    assert "Each picture is noise" in words(page)
    assert "There is no atlas" not in words(page)
    button = next(found for found in page.button if found.key == "start-looks-for")
    assert button.label == looks_for.LARGER
    assert len(own_tile(page)) == 1
    assert "changed in 0 steps" in own_tile(page)[0] or "stayed grey" in own_tile(page)[0]
    # It stands for the picture that nobody has chosen otherwise.
    other = good(page.select_slider(key="module-picture-steps").set_value(256).run())
    assert own_tile(other) == []
    usual = good(page.select_slider(key="module-picture-steps").set_value(128).run())
    assert len(own_tile(usual)) == 1
    against = good(page.segmented_control(key="module-picture").set_value("negative").run())
    assert own_tile(against) == []
    button = next(found for found in against.button if found.key == "start-looks-for")
    assert button.label == looks_for.KINDS["negative"].ask


CHOSEN = {"module__circuit": True, "module__concepts": True, "search__class": 3, "search__module": "all"}


def test_cards_and_concepts_show_the_tiles_that_there_are(
    at_work: InferenceService, opened: Callable[..., AppTest]
) -> None:
    spec, atlas = network.spec(), tiles.atlas()
    assert atlas is not None
    told = markup(opened("module", **CHOSEN))
    cards = re.findall(r'<button[^>]* class="card" data-unit="([^"]+)"(.*?)</button>', told, re.S)
    assert cards
    shown = set()
    for text, inner in cards:
        unit = parse_unit(text, spec)
        place = Place(unit.conv, unit.module)
        assert re.findall(r'<img class="tile" src="([^"]+)" width="44" height="44" alt="">', inner) == [
            as_address(atlas.picture(place, unit.channel)) for _ in range(place in atlas.sheets)
        ]
        shown.add(place in atlas.sheets)
    assert shown == {True, False}
    assert "then the channel&#39;s map on the photo and what it looks for. Sorted" in told
    rows = re.findall(r"<li>(<img[^>]* alt=\"concept \d+: .*?)</li>", told, re.S)
    assert len(rows) == options.CONCEPT_COUNT.default
    for row in rows:
        first = parse_unit(re.findall(r'data-unit="([^"]+)"', row)[0], spec)
        source = as_address(atlas.picture(Place(first.conv, first.module), first.channel))
        name = name_of(at_work.classifier.checkpoint, first)
        assert re.findall(r'<img class="tile" src="([^"]+)" alt="([^"]+)">', row) == [
            (source, f"what {name} looks for")
        ]


def test_without_an_atlas_cards_and_concepts_are_as_they_were(
    at_work: InferenceService, opened: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    told = markup(opened("module", **CHOSEN))
    assert 'class="card"' in told
    assert "concept 1" in told
    assert "tile" not in told
    assert 'class="row"' not in told
    assert "right the channel&#39;s map on the photo. Sorted by" in told


def test_a_sheet_is_decoded_once_for_all_tiles_and_a_broken_one_gives_none(
    at_work: InferenceService, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas, place = tiles.atlas(), Place("3x3", "4c")
    assert atlas is not None
    at_work._memory.drop_group(at_work._group)
    read, sheet_bytes = [], TileAtlas.sheet_bytes
    monkeypatch.setattr(TileAtlas, "sheet_bytes", lambda self, place: read.append(place) or sheet_bytes(self, place))
    channels = [(place, 0), (place, 3), (place, 3), (Place("1x1", "3a"), 0)]
    found = jobs.tiles_at(channels)
    assert list(found) == [(place, 0), (place, 3)]
    assert read == [place]
    assert jobs.tiles_at(channels) == found
    assert read == [place]
    for _, channel in found:
        assert np.array_equal(np.asarray(found[place, channel].picture), np.asarray(atlas.picture(place, channel)))
    folder = tmp_path / "atlas" / ("ab" * 8)
    shutil.copytree(cache / "atlas" / ("ab" * 8), folder)
    whole = (folder / sheet_name(place)).read_bytes()
    (folder / sheet_name(place)).write_bytes(whole[:30] + b"\xff" * (len(whole) - 30))  # its header is whole
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    broken = tiles.atlas()
    assert broken is not None
    with pytest.raises(CheckpointError, match=r"the tiles in 4c\.3x3\.webp can't be used"):
        broken.pictures(place, [0])
    assert jobs.tiles_at(channels) == {}


def own_tile(page: AppTest) -> list[str]:
    """The markup of the picked channel's tile, if it is drawn."""
    found = [each.proto for each in page.get("bidi_component") if "looks-for-tile" in each.proto.id]
    return [json.loads(proto.mixed.json if proto.HasField("mixed") else proto.json)["html"] for proto in found]


def markup(page: AppTest) -> str:
    """What the page draws of cards and concepts."""
    told = [json.loads(each.proto.json or "{}").get("html", "") for each in page.get("bidi_component")]
    return " ".join(text for text in told if "data-unit" in text)


def as_address(tile: Image.Image) -> str:
    return data_url(jpeg_bytes(tile), "image/jpeg")
