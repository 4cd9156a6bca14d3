"""The atlas as a website: its links lead somewhere, it needs no server, and its numbers are measured."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.images.samples import sample_photo
from inception_model.inference.classifier import Classifier
from inception_model.report.site import write_site
from inception_model.report.site.facts import pages_of
from inception_model.visualization.atlas_building import build_atlas, named_places
from inception_model.visualization.places import Place
from inception_model.visualization.tile_parts import AtlasError
from inception_model.visualization.tiles import Recipe, TileAtlas, count_channels
from tests.compare import assert_close
from tests.random_networks import random_classifier

RECIPE = Recipe("cpu", "float32", steps=12, size=32, side=16)
HOSTILE = "<script>alert(1)</script>, a' b\""


@dataclass
class Read(HTMLParser):
    """What a page has: every address it leads to or loads, every name in it, and the JSON that its script reads."""

    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    json_text: str = ""
    scripts: int = 0
    _inside: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.links += [found[name] for name in ("href", "src") if name in found]
        self.ids += [found["id"]] if "id" in found else []
        self.styles += [found["style"]] if "style" in found else []
        self.scripts += tag == "script"
        self._inside = tag == "script" and found.get("id") == "facts"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.json_text += data
            self._inside = False


def read(path: Path) -> Read:
    found = Read()
    found.feed(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def network() -> Classifier:
    """A tiny network, one of whose classes has a hostile name."""
    made = random_classifier(tiny())
    labels = (Label(0, "n0", HOSTILE), *made.checkpoint.labels[1:])
    return replace(made, checkpoint=replace(made.checkpoint, sha256="ab" * 32, labels=labels))


@pytest.fixture(scope="module")
def atlas(network: Classifier, tmp_path_factory: pytest.TempPathFactory) -> TileAtlas:
    """Tiles of a few units; the others have none yet."""
    places = named_places(["3a:1x1", "5b:pool", "conv2"], network.checkpoint.spec)
    return build_atlas(network, tmp_path_factory.mktemp("atlas"), RECIPE, places, photos=[sample_photo("cat")])


@pytest.fixture(scope="module")
def site(network: Classifier, atlas: TileAtlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    files = write_site(network, atlas, folder, "https://scope.example/")
    assert sorted(files) == sorted(path for path in folder.rglob("*") if path.is_file())
    return folder


def addresses(site: Path) -> Iterator[tuple[str, str]]:
    """(page, address) of everything that any file of the site leads to, loads, or lets its script lead to."""
    for path in sorted(site.glob("*.html")):
        page = read(path)
        told = json.loads(page.json_text)
        linked = [*page.links, *(name for style in page.styles for name in re.findall(r"url\((.*?)\)", style))]
        linked += [reader["href"] for found in told.get("channels", {}).values() for reader in found["readers"]]
        yield from ((path.name, link) for link in linked if link)
    for name in re.findall(r"url\(([^)]*)\)", (site / "site.css").read_text()):
        yield "site.css", name


def test_all_links_resolve(site: Path) -> None:
    names = {path.name: set(read(path).ids) for path in site.glob("*.html")}
    walked = list(addresses(site))
    for page, address in walked:
        file, _, fragment = address.partition("#")
        assert ":" not in file, f"{page} leads outside: {address}"
        assert not file or (site / file).is_file(), f"{page} leads to {address}"
        assert not fragment or fragment in names[file or page], f"{page} leads to {address}"
    pages = {page for page, _ in walked}
    reached, waiting = set(), {"index.html"}
    while waiting:
        reached |= waiting
        waiting = {address.partition("#")[0] for page, address in walked if page in waiting} & pages - reached
    assert reached == {path.name for path in site.glob("*.html")}


def test_every_channel_has_its_address_once(site: Path, network: Classifier) -> None:
    spec = network.checkpoint.spec
    ids = [name for path in site.glob("*.html") for name in read(path).ids if re.search(r":\d+$", name)]
    assert len(ids) == len(set(ids)) == count_channels(spec)
    assert "3a:1x1:3" in read(site / "3a.html").ids
    assert "conv2:11" in read(site / "stem.html").ids
    search = json.loads(read(site / "index.html").json_text)
    assert sum(unit["channels"] for unit in search["units"]) == count_channels(spec)


def test_it_says_what_was_measured(site: Path, atlas: TileAtlas, network: Classifier) -> None:
    told = json.loads(read(site / "3a.html").json_text)
    tiles = atlas.sheets[Place("1x1", "3a")].tiles.values()
    tile = next(tile for tile in tiles if tile.ratio is not None and not tile.grey)
    said = told["channels"][f"3a:1x1:{tile.channel}"]
    assert f"{tile.ratio:.1f} times its peak on the sample photos (cat," in said["words"]
    assert told["channels"]["3a:3x3:2"]["words"] == "no tile yet"
    weight = network.network.block("3b").unit("1x1").conv.weight
    for reader in said["readers"]:
        module, unit, number = reader["text"].split(":")
        read_by = network.network.block(module).unit(unit).conv.weight[int(number), tile.channel]
        assert_close(
            float(reader["weight"].replace("−", "-")), float(read_by.sum()), 0.005, scale=float(weight.abs().max())
        )
    best = json.loads(read(site / "index.html").json_text)["classes"][3]
    assert best["words"] == "thing 3"
    head = network.network.classifier.weight[3]
    values = [float(text.replace("−", "-")) for _, text in best["units"]]
    assert_close(values, head.topk(5).values, 0.02)
    (unit, channel) = best["units"][0][0].rsplit(":", 1)
    spec = network.checkpoint.spec.block("5b")
    lane = {"5b:1x1": "1x1", "5b:3x3": "3x3", "5b:5x5": "5x5", "5b:pool_proj": "pool"}[unit]
    assert spec.channels(lane).start + int(channel) == int(head.argmax())  # type: ignore[arg-type]


def test_channels_link_to_the_page_that_shows_them(site: Path) -> None:
    for name in ("stem.html", "4d.html"):
        told = json.loads(read(site / name).json_text)
        assert told["app"] == "https://scope.example"
        for unit, found in told["channels"].items():
            shown = not unit.startswith(("conv1:", "conv2_reduce:"))
            assert found["app"] == (f"/module?unit={unit}" if shown else "")


def test_names_from_a_file_of_weights_are_text_only(site: Path) -> None:
    index = (site / "index.html").read_text()
    assert "<script>alert" not in index
    assert read(site / "index.html").scripts == 2
    assert json.loads(read(site / "index.html").json_text)["classes"][0]["words"] == HOSTILE


def test_what_cannot_be_written_is_said(network: Classifier, atlas: TileAtlas, site: Path, tmp_path: Path) -> None:
    write_site(network, atlas, site, "https://scope.example")  # its own folder, again
    (tmp_path / "index.html").write_text("my homepage")
    with pytest.raises(AtlasError, match="holds another website"):
        write_site(network, atlas, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    with pytest.raises(AtlasError, match="no tile yet"):
        write_site(network, replace(atlas, sheets={}), tmp_path / "new")
    with pytest.raises(AtlasError, match="http:// or https://"):
        write_site(network, atlas, tmp_path / "new", "javascript:alert(1)")
    assert not (tmp_path / "new").exists()


def test_modules_may_have_any_name(network: Classifier, atlas: TileAtlas) -> None:
    spec = network.checkpoint.spec
    named = replace(spec, blocks=(replace(spec.blocks[0], name="../index (1)"), *spec.blocks[1:]))
    renamed = replace(network, checkpoint=replace(network.checkpoint, spec=named))
    pages = pages_of(replace(atlas, sheets={}), renamed)
    assert [page.file for page in pages] == [
        "stem.html",
        "module-1.html",
        *(f"{n}.html" for n in spec.module_names[1:]),
    ]
    assert not [section.file for section in pages[1].sections if not section.file.startswith("tiles/module-1.")]
