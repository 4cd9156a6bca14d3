"""An atlas: each tile is what `visualize` makes, an interrupted build loses nothing, other weights' is refused."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inception_model.architecture.variants import get_spec, tiny
from inception_model.checkpoints.checkpoint import BUNDLED, CheckpointError
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.visualization import tiles
from inception_model.visualization.atlas_building import build_atlas, named_places, price
from inception_model.visualization.objectives import of_channel
from inception_model.visualization.places import Place, UnitError, all_places
from inception_model.visualization.tile_parts import LOCK, AtlasError, Parts, alone, write_sheet
from inception_model.visualization.tiles import (
    INDEX,
    MAX_COUNT,
    Recipe,
    atlas_folder,
    cached_folder,
    count_channels,
    index_of,
    load_atlas,
    sheet_name,
)
from inception_model.visualization.visualizing import visualize
from tests.compare import assert_close
from tests.random_networks import random_classifier

RECIPE = Recipe("cpu", "float32", steps=2, size=32, side=16, batch=3)
PLACES = (Place("1x1", "3a"), Place("3x3_reduce", "3a"))
PHOTOS = [sample_photo("cat")]
Index = dict[str, Any]


@pytest.fixture(scope="module")
def network() -> Classifier:
    """The tiny network as if it came from a file."""
    made = random_classifier(tiny())
    return replace(made, checkpoint=replace(made.checkpoint, sha256="ab" * 32))


@pytest.fixture(scope="module")
def whole(network: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The atlas of two convolutions, made at one go."""
    folder = tmp_path_factory.mktemp("whole")
    build_atlas(network, folder, RECIPE, PLACES, photos=PHOTOS)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_atlas_has_a_tile_for_every_channel_of_every_convolution(network: Classifier) -> None:
    trunk = [m for name, m in network.network.named_modules() if isinstance(m, torch.nn.Conv2d) and "aux" not in name]
    assert count_channels(network.checkpoint.spec) == sum(convolution.out_channels for convolution in trunk)
    assert count_channels(get_spec("paper")) == 7280


def test_a_tile_is_the_picture_that_visualize_makes(network: Classifier, tmp_path: Path) -> None:
    place = Place("3x3", "3b")
    made = build_atlas(network, tmp_path, RECIPE, [place], 4, photos=PHOTOS)
    assert sorted(made.sheets[place].tiles) == list(range(6))  # two whole pieces of three
    read = Parts(tmp_path, network.checkpoint.sha256, RECIPE).read(place, (3, 4, 5))
    assert read is not None
    objectives = [of_channel(network.checkpoint.spec, place, channel) for channel in (3, 4, 5)]
    for found, kept in zip(visualize(network, objectives, RECIPE.settings, photos=PHOTOS), read, strict=True):
        small = Image.fromarray(found.pixels[0]).resize((16, 16), Image.Resampling.LANCZOS)
        assert np.array_equal(kept.pixels, np.asarray(small))
        tile = made.sheets[place].tiles[kept.tile.channel]
        assert found.natural is not None
        assert (tile.objective, tile.natural, tile.photo) == (float(found.strengths[0]), found.natural.strength, "cat")
        assert tile.ratio == (None if found.ratios is None else pytest.approx(float(found.ratios[0]), rel=1e-6))
        own = [of_channel(network.checkpoint.spec, place, tile.channel)]
        (alone,) = visualize(network, own, RECIPE.settings, photos=())
        assert_close(tile.objective, float(alone.strengths[0]), 1e-3)
        shown = np.asarray(made.picture(place, tile.channel), dtype=int)
        assert np.abs(shown - kept.pixels).mean() < 12  # what the sheet's compression costs
        assert np.abs(shown - read[tile.channel % 3 - 1].pixels).mean() > np.abs(shown - kept.pixels).mean()


def test_an_interrupted_build_ends_with_the_same_bytes(network: Classifier, whole: Path, tmp_path: Path) -> None:
    cancel, done = threading.Event(), []

    def told(place: Place, tiles: int, wanted: int) -> None:
        done.append((tiles, wanted))
        if tiles:
            cancel.set()

    with pytest.raises(Cancelled):
        build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS, cancel=cancel, told=told)
    widths = [place.width(network.checkpoint.spec) for place in PLACES]
    assert done == [(0, sum(widths)), (3, sum(widths))]
    assert load_atlas(tmp_path, network.checkpoint).made == 3, "the finished piece is shown"
    made = build_atlas(network, tmp_path, RECIPE, PLACES, 1, photos=PHOTOS)
    assert made.made == widths[0], "its rest only"
    parts = [0]
    build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS, progress=lambda at, of: parts.append(at * 100 // of))
    assert parts == sorted(parts)
    assert parts[-1] == 100
    assert files(tmp_path) == files(whole)
    assert set(files(whole)) == {INDEX, *map(sheet_name, PLACES)}

    def nothing(*_: Any, **__: Any) -> None:
        pytest.fail("made again")

    again = build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS, told=nothing)
    assert again.made == sum(widths)


def test_a_full_disk_is_told_and_costs_nothing_that_was_finished(
    network: Classifier, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, room = Path.write_bytes, [3]

    def full(path: Path, data: bytes) -> int:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return usual(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AtlasError, match="is full: what is finished is kept; make room"):
        build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS)
    assert not list(tmp_path.rglob("*.part"))
    kept = files(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", usual)
    build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS)
    assert len(kept) == 3
    assert files(tmp_path) == files(whole)


def test_a_damaged_piece_is_made_again(network: Classifier, whole: Path, tmp_path: Path) -> None:
    build_atlas(network, tmp_path, RECIPE, PLACES, 3, photos=PHOTOS)
    (part,) = tmp_path.rglob("*.png")
    part.write_bytes(part.read_bytes()[:-40])
    build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS)
    assert files(tmp_path) == files(whole)


def test_a_damaged_sheet_is_made_again(network: Classifier, whole: Path, tmp_path: Path) -> None:
    for damage in (lambda data: data[:-40], lambda data: data[:20] + bytes(len(data) - 20), lambda _: b""):
        for name, data in files(whole).items():
            (tmp_path / name).write_bytes(data)
        sheet = tmp_path / sheet_name(PLACES[1])
        sheet.write_bytes(damage(sheet.read_bytes()))
        with pytest.raises(CheckpointError, match="can't be used"):
            load_atlas(tmp_path, network.checkpoint).sheet_bytes(PLACES[1])
        build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS)
        assert files(tmp_path) == files(whole)


def test_one_build_at_a_time_has_a_folder(network: Classifier, whole: Path, tmp_path: Path) -> None:
    """Of two, each would write the index from what it has made itself, after the pieces of the other were removed."""
    with alone(tmp_path), pytest.raises(AtlasError, match="another `atlas build` is at work in"):
        build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS)
    assert not files(tmp_path)
    (tmp_path / LOCK).write_text("")  # as one that was killed leaves it
    build_atlas(network, tmp_path, RECIPE, PLACES, photos=PHOTOS)
    assert files(tmp_path) == files(whole)


def test_of_two_atlases_the_one_with_more_tiles_is_taken(
    network: Classifier, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial in the cache folder doesn't hide the whole one that came with the checkpoint, nor does a damaged one."""
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tiles, "ASSETS", tmp_path)
    bundled = network.checkpoint.with_name(BUNDLED)
    shipped, own = tmp_path / "atlas", cached_folder(bundled)
    for folder in (shipped, own):
        folder.mkdir(parents=True)
        (folder / INDEX).write_bytes((whole / INDEX).read_bytes())
    assert atlas_folder(bundled) == own
    index = json.loads((whole / INDEX).read_text())
    index["units"].popitem()
    (own / INDEX).write_text(json.dumps(index))
    assert atlas_folder(bundled) == shipped
    (own / INDEX).write_text("no index")
    assert atlas_folder(bundled) == shipped
    assert atlas_folder(network.checkpoint) == own, "of other weights none is shipped"


def test_another_way_of_making_or_other_weights_are_refused(network: Classifier, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(AtlasError, match=r"begun with steps 2, not 5: ask for the same, or name another folder"):
        build_atlas(network, whole, replace(RECIPE, steps=5), PLACES)
    other = replace(network, checkpoint=replace(network.checkpoint, sha256="cd" * 32))
    with pytest.raises(
        CheckpointError, match=rf"with sha256 abababab.*: remove {whole}, or name another folder with --out"
    ):
        build_atlas(other, whole, RECIPE, PLACES)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / INDEX).write_text("{}")
    with pytest.raises(CheckpointError, match=rf"it is no .*: remove {damaged}, or name another folder with --out"):
        build_atlas(network, damaged, RECIPE, PLACES)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AtlasError, match="is no folder"):
        build_atlas(network, tmp_path / "file", RECIPE)


def test_units_are_named_as_everywhere_and_unknown_ones_are_told_what_exists(network: Classifier) -> None:
    spec = network.checkpoint.spec
    assert named_places([], spec) == all_places(spec)
    assert named_places(["4d:pool,3a:1x1", "stem"], spec) == (
        *(Place(name) for name in ("conv1", "conv2_reduce", "conv2")), Place("1x1", "3a"), Place("pool_proj", "4d"),
    )  # fmt: skip
    assert len(named_places(["3a"], spec)) == 6
    with pytest.raises(UnitError, match="the modules 3a, 3b"):
        named_places(["9z"], spec)
    with pytest.raises(UnitError, match="4d has 4d:1x1"):
        named_places(["4d:7x7"], spec)
    with pytest.raises(UnitError, match="whole units such as 4d:5x5"):
        named_places(["4d:5x5:1"], spec)


def test_the_price_of_a_tile_rises_with_depth(network: Classifier) -> None:
    """By what runs for it: beside the multiply-adds that are counted as the network runs."""
    spec, counted = network.checkpoint.spec, []
    chosen = (Place("conv1"), Place("conv2"), Place("5x5", "3a"), Place("1x1", "4d"), Place("pool_proj", "5b"))
    prices = [price(place, spec, 224) for place in chosen]
    assert prices == sorted(prices)
    for place in (Place("conv2"), Place("5x5", "3a")):
        macs = [0]

        def count(layer: torch.nn.Module, _: Any, out: torch.Tensor, macs: list[int] = macs) -> None:
            macs[0] += out[0].numel() * layer.weight[0].numel()  # type: ignore[operator, index, union-attr]

        from inception_model.visualization.prefix import values_at

        twin = network.twin().network
        hooks = [m.register_forward_hook(count) for m in twin.modules() if isinstance(m, torch.nn.Conv2d)]
        values_at(twin, torch.zeros(1, 3, 224, 224), [place])
        counted.append(macs[0])
        assert hooks
    assert_close(prices[2] - prices[1], float(counted[1] - counted[0]), 1e-9)


@pytest.mark.parametrize("name", ["steps", "seed", "batch"])
def test_whatever_can_be_asked_for_can_be_read(network: Classifier, whole: Path, tmp_path: Path, name: str) -> None:
    made = load_atlas(whole, network.checkpoint)
    recipe = replace(RECIPE, **{name: MAX_COUNT})
    sheets = {
        place: replace(sheet, tiles={at: replace(tile, seed=recipe.seed) for at, tile in sheet.tiles.items()})
        for place, sheet in made.sheets.items()
    }
    index = index_of(replace(made, recipe=recipe, sheets=sheets), network.checkpoint.spec)
    (tmp_path / INDEX).write_text(json.dumps(index))
    assert load_atlas(tmp_path, network.checkpoint) == replace(made, folder=tmp_path, recipe=recipe, sheets=sheets)
    with pytest.raises(ValueError, match=f"an atlas takes {name} up to 1,048,576; got 1,048,577"):
        replace(RECIPE, **{name: MAX_COUNT + 1})


DAMAGE: dict[str, Callable[[Index], Any]] = {
    "no atlas at all": lambda index: index.clear(),
    "another format": lambda index: index.update(format="inceptionscope-atlas-9"),
    "a unit that there isn't": lambda index: index["units"].update({"9z:1x1": {}}),
    "a tile of no channel": lambda index: index["units"]["3a:1x1"]["tiles"][0].update(channel=4),
    "two of one channel": lambda index: index["units"]["3a:1x1"]["tiles"][0].update(channel=1),
    "a text for a number": lambda index: index["units"]["3a:1x1"]["tiles"][0].update(objective="high"),
    "other columns": lambda index: index["units"]["3a:1x1"].update(columns=1 << 40),
    "a recipe that cannot be": lambda index: index["recipe"].update(size=8),
    "something more": lambda index: index["recipe"].update(more=1),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_wrong_index_is_refused(network: Classifier, whole: Path, tmp_path: Path, damage: str) -> None:
    index = json.loads((whole / INDEX).read_text())
    DAMAGE[damage](index)
    (tmp_path / INDEX).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="can't be used"):
        load_atlas(tmp_path, network.checkpoint)


def test_a_sheet_that_is_gone_or_another_picture_is_refused(network: Classifier, whole: Path, tmp_path: Path) -> None:
    for name, data in files(whole).items():
        (tmp_path / name).write_bytes(data)
    atlas = load_atlas(tmp_path, network.checkpoint)
    sheet = tmp_path / sheet_name(PLACES[0])
    assert atlas.sheet_bytes(PLACES[0]) == sheet.read_bytes()
    Image.new("RGB", (16, 16)).save(sheet)
    with pytest.raises(CheckpointError, match="another size"):
        atlas.sheet_bytes(PLACES[0])
    sheet.unlink()
    with pytest.raises(CheckpointError, match="atlas build"):
        atlas.sheet_bytes(PLACES[0])


def test_no_name_of_a_module_leads_out_of_the_folder(tmp_path: Path) -> None:
    path = tmp_path / sheet_name(Place("1x1", "../../x"))
    assert path.parent == tmp_path
    write_sheet(path, {}, 4, 16)
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_found_in_the_cache_by_the_hash(
    network: Classifier, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCEPTIONSCOPE_CACHE", str(tmp_path))
    assert atlas_folder(network.checkpoint) is None
    cached_folder(network.checkpoint).mkdir(parents=True)
    (cached_folder(network.checkpoint) / INDEX).write_bytes((whole / INDEX).read_bytes())
    assert atlas_folder(network.checkpoint) == tmp_path / "atlas" / "abababababababab"
    assert atlas_folder(replace(network.checkpoint, sha256="cd" * 32)) is None
