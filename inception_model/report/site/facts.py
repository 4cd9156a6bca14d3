"""What the site says of a channel: numbers of its tile, and weights. Nothing is said that was not measured."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ...analysis.channel_effects import strongest_readers
from ...architecture.spec import BRANCHES, STEM_UNITS
from ...drawing.numbers import number, short, signed
from ...drawing.palette import node_name
from ...inference.classifier import Classifier
from ...visualization.places import Place, all_places
from ...visualization.tiles import Sheet, Tile, TileAtlas

READERS = 3
"""Of a channel: the largest weights that read it."""
PER_CLASS = 5
"""Channels that are found under a class: those with the largest weights."""
COVER = 8
"""Tiles of a module on the first page: the ones with the largest ratios."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
STEM_PAGE = "stem"


@dataclass(frozen=True)
class Section:
    """One convolution on its module's page."""

    place: Place
    title: str
    kind: str
    """The branch that gives the colour; empty in the stem."""
    width: int
    sheet: Sheet | None
    file: str

    @property
    def columns(self) -> int:
        """Of its sheet."""
        return self.sheet.columns if self.sheet else 1

    @property
    def tiles(self) -> dict[int, Tile]:
        """Those that are made, by channel."""
        return dict(self.sheet.tiles) if self.sheet else {}

    def at(self, channel: int) -> tuple[int, int]:
        """Column and row of a channel's tile."""
        return self.sheet.position(channel) if self.sheet else (0, 0)


@dataclass(frozen=True)
class Page:
    """A module's page, or the stem's: its title, its file, and its convolutions."""

    name: str
    file: str
    sections: tuple[Section, ...]


def pages_of(atlas: TileAtlas, classifier: Classifier) -> tuple[Page, ...]:
    """The pages in the order of the image's way. A module may be called what a file of weights likes: the names of
    files come from it only where it is plain."""
    spec = classifier.checkpoint.spec
    by_page: dict[str, list[Place]] = defaultdict(list)
    for place in all_places(spec):
        by_page[place.module or STEM_PAGE].append(place)
    pages = []
    for number_, (name, places) in enumerate(by_page.items()):
        slug = name if _PLAIN.fullmatch(name) and (name != "index") else f"module-{number_}"
        sections = tuple(
            Section(
                place,
                node_name(place.unit),
                _kind(place),
                place.width(spec),
                atlas.sheets.get(place),
                f"tiles/{slug}.{place.unit}.webp",
            )
            for place in places
        )
        pages.append(Page(name, f"{slug}.html", sections))
    return tuple(pages)


def anchor(place: Place, channel: int) -> str:
    """A channel's address as the name of a place on its page."""
    return quote(f"{place}:{channel}", safe=":")


def numbers_of(sections: Sequence[Section]) -> dict[str, Any]:
    """Channels, tiles, grey ones, and the median ratio of picture to photo, None where there is none."""
    tiles = [tile for section in sections for tile in section.tiles.values()]
    ratios = [tile.ratio for tile in tiles if tile.ratio is not None]
    return {
        "channels": sum(section.width for section in sections),
        "tiles": len(tiles),
        "grey": sum(tile.grey for tile in tiles),
        "silent": sum(tile.natural is not None and tile.natural <= 0 for tile in tiles),
        "ratio": statistics.median(ratios) if ratios else None,
    }


def words(tile: Tile | None) -> str:
    """What is known of a channel's tile."""
    if tile is None:
        return "no tile yet"
    if tile.grey:
        return "stayed grey: nothing in the noise it started from moves this channel"
    if tile.natural is None:
        return f"at {number(tile.objective)}"
    if tile.ratio is None:
        return f"at {number(tile.objective)}; silent on every sample photo"
    peak = f"its peak on the sample photos ({tile.photo}, {number(tile.natural)})"
    return f"at {number(tile.objective)}, {tile.ratio:.1f} times {peak}"


def cover(page: Page) -> list[tuple[Section, int]]:
    """The tiles that stand for a page: those with the largest ratios."""
    found = [
        (tile.ratio, section, channel)
        for section in page.sections
        for channel, tile in section.tiles.items()
        if tile.ratio is not None and not tile.grey
    ]
    return [(section, channel) for _, section, channel in sorted(found, key=lambda row: -row[0])[:COVER]]


class Weights:
    """What reads a channel, as links into the site, and the channels that speak for a class."""

    def __init__(self, classifier: Classifier, pages: Sequence[Page]) -> None:
        self.classifier, self.spec = classifier, classifier.checkpoint.spec
        self.files = {page.name: page.file for page in pages}

    def readers(self, place: Place, channel: int) -> list[dict[str, str]]:
        """The largest weights that read a channel: what reads it, how, and where that stands (empty for a class)."""
        module, node = place.module, place.unit
        if module is None:
            if node != STEM_UNITS[-1]:
                return []
            module, node = self.spec.module_names[0], "input"
        found = strongest_readers(self.classifier, module, node, channel, READERS)
        return [self._told(reader.unit, reader.channel, reader.weight) for reader in found]

    def _told(self, unit: str, channel: int, weight: float) -> dict[str, str]:
        if unit == "main":
            label = short(self.classifier.checkpoint.label(channel).words)
            return {"text": f"{label} at main", "weight": signed(weight), "href": ""}
        module, _, name = unit.rpartition(" ")
        place = Place(name, module)
        href = f"{self.files[module]}#{anchor(place, channel)}"
        return {"text": f"{place}:{channel}", "weight": signed(weight), "href": href}

    def classes(self) -> list[dict[str, Any]]:
        """Every class with the channels of the last module that have the largest weights for it at main.

        Nothing where main was never trained. The head reads the mean of each channel, so a weight is what one unit of
        that mean adds to the class's logit.
        """
        checkpoint = self.classifier.checkpoint
        if "main" not in checkpoint.heads_trained:
            return []
        module, found = self.spec.module_names[-1], []
        lanes = [(Place("pool_proj" if kind == "pool" else kind, module), self.spec.block(module).channels(kind))
                 for kind in BRANCHES]  # fmt: skip
        weight = self.classifier.network.classifier.weight.detach().float()
        for index in range(self.spec.classes):
            values, channels = weight[index].topk(min(PER_CLASS, weight.shape[1]))
            links = []
            for value, channel in zip(values.tolist(), channels.tolist(), strict=True):
                place, lane = next((place, lane) for place, lane in lanes if channel < lane.stop)
                links.append([f"{place}:{channel - lane.start}", signed(value)])
            found.append({"words": checkpoint.label(index).words, "units": links})
        return found


def _kind(place: Place) -> str:
    if place.module is None:
        return ""
    return next(kind for kind in BRANCHES if place.unit.partition("_")[0] == kind)
