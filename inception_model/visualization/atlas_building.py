"""`build_atlas`: a tile for every channel of a network, piece by piece into a folder that can go on later.

A piece is made of fixed channels by one call of `visualize`, so that an atlas that was interrupted ends with the same
bytes as one that wasn't. Processor seconds for a tile (128 steps, 128 pixels, bfloat16, on cores with AVX-512 BF16 that
others used as well): conv2 1.2, 3a 1.2, 4a 1.9, 4d 2.3, 4e 2.6, 5b 2.9. All 7,280 take 4.5 processor hours: two cores
that have nothing else to do are busy for some 2 and a half.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ..architecture.spec import STEM_UNITS, NetworkSpec
from ..checkpoints.checkpoint import Checkpoint
from ..cost.layers import map_sides, trunk_layers
from ..images.decode import Photo
from ..inference.classifier import Classifier, Precision
from ..progress import Cancelled, Progress
from .objectives import of_channel
from .places import Place, UnitError, all_places
from .tile_parts import AtlasError, Made, Parts, alone, made_of, write_sheet, write_whole
from .tiles import INDEX, Recipe, Sheet, TileAtlas, index_of, load_atlas, sheet_name
from .visualizing import visualize

PARTS = 10_000
"""What a run's work is divided into: one takes a second where the whole takes three hours."""

Told = Callable[[Place, int, int], None]
"""Called with (where the next piece lies, tiles made in this run, tiles that this run makes)."""


@dataclass(frozen=True)
class Piece:
    """Channels of a convolution that are made together."""

    place: Place
    channels: tuple[int, ...]


def fastest_precision(device: torch.device) -> Precision:
    """bfloat16 where the device multiplies it, which takes two thirds of the time; else float32."""
    native = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    cpu = any(getattr(torch.cpu, name, lambda: False)() for name in native)
    return "bfloat16" if device.type == "cuda" or (device.type == "cpu" and cpu) else "float32"


def named_places(text: Sequence[str], spec: NetworkSpec) -> tuple[Place, ...]:
    """The convolutions that `3a`, `4d:5x5`, `conv2` or `stem` name, several with commas between; all without any.

    Raises UnitError that says what exists.
    """
    found: list[Place] = []
    for name in (part.strip() for each in text for part in each.split(",") if part.strip()):
        if name == "stem":
            found += map(Place, STEM_UNITS)
        elif name in spec.module_names:
            found += [place for place in all_places(spec) if place.module == name]
        else:
            found.append(_place(name, spec))
    wanted = set(found) if text else set(all_places(spec))
    return tuple(place for place in all_places(spec) if place in wanted)


def _place(name: str, spec: NetworkSpec) -> Place:
    place, _, channel = name.rpartition(":")
    if ":" in place and channel.isdecimal():
        raise UnitError(f"{name!r} is one channel: an atlas is made of whole units such as {place}; see `visualize`")
    return Place.parse(name, spec)


def pieces_of(place: Place, spec: NetworkSpec, batch: int) -> list[Piece]:
    """All pieces of a convolution, the same ones in every run."""
    width = place.width(spec)
    return [Piece(place, tuple(range(start, min(start + batch, width)))) for start in range(0, width, batch)]


def price(place: Place, spec: NetworkSpec, size: int) -> float:
    """What a tile costs beside another one: multiply-adds of the network up to it, and what every picture takes."""
    layers = trunk_layers(spec, spec.blocks, map_sides(spec, size), None)
    names = [layer.row if layer.name not in STEM_UNITS else layer.name for layer in layers]
    last = names.index(place.module or place.unit)
    before = layers[: last + (place.module is None)]
    own = [each for each in layers if each.row == place.module and each.name in (place.unit, f"{place.unit}_reduce")]
    return sum(layer.macs for layer in (*before, *own)) + 0.15 * sum(layer.macs for layer in layers)


def build_atlas(
    classifier: Classifier,
    folder: Path,
    recipe: Recipe,
    places: Sequence[Place] | None = None,
    limit: int | None = None,
    *,
    photos: Sequence[Photo] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    told: Told | None = None,
) -> TileAtlas:
    """Makes the tiles that the folder lacks, of these convolutions or of all; returns what the folder then holds.

    `limit`: about how many in this run, rounded up to whole pieces. `photos`: what pictures are compared with, the
    shipped samples unless given. `progress` is told in PARTS of this run's work. When cancelled, the pieces
    that are finished are in the folder; then Cancelled is raised. Raises AtlasError where the folder holds an atlas
    made otherwise, another build is at work in it or the disk is full, CheckpointError where it is of another
    checkpoint.
    """
    if folder.exists() and not folder.is_dir():
        raise AtlasError(f"{folder} is no folder: name one for the atlas")
    with alone(folder):
        builder = _Builder(classifier, folder, recipe)
        return _build(classifier, builder, places or all_places(builder.spec), limit, photos, progress, cancel, told)


def _build(
    classifier: Classifier,
    builder: _Builder,
    places: Sequence[Place],
    limit: int | None,
    photos: Sequence[Photo] | None,
    progress: Progress | None,
    cancel: threading.Event | None,
    told: Told | None,
) -> TileAtlas:
    spec, recipe = builder.spec, builder.atlas.recipe
    missing: list[Piece] = []
    for place in places:
        missing += (
            [] if builder.whole(place) else [p for p in builder.pieces(place) if builder.parts.read(*_key(p)) is None]
        )
    wanted = _first(missing, limit)
    prices = [len(piece.channels) * price(piece.place, spec, recipe.size) for piece in wanted]
    total, done, tiles = sum(prices), 0.0, 0
    count = sum(len(piece.channels) for piece in wanted)
    try:
        for number, (piece, cost) in enumerate(zip(wanted, prices, strict=True)):
            if told is not None:
                told(piece.place, tiles, count)

            def further(step: int, steps: int, before: float = done, cost: float = cost) -> None:
                if progress is not None:
                    progress(int(PARTS * (before + cost * step / max(1, steps)) / total), PARTS)

            objectives = [of_channel(spec, piece.place, channel) for channel in piece.channels]
            found = visualize(classifier, objectives, recipe.settings, photos=photos, progress=further, cancel=cancel)
            pairs = zip(found, piece.channels, strict=True)
            builder.parts.write(piece.place, [made_of(each, channel, recipe.side) for each, channel in pairs])
            done, tiles = done + cost, tiles + len(piece.channels)
            if number + 1 == len(wanted) or wanted[number + 1].place != piece.place:
                builder.assemble(piece.place)
    except Cancelled:
        builder.assemble(piece.place)
        raise
    for place in places:  # what an interrupted run had finished
        if not builder.whole(place):
            builder.assemble(place)
    if progress is not None:
        progress(PARTS, PARTS)
    return builder.atlas


def _key(piece: Piece) -> tuple[Place, tuple[int, ...]]:
    return piece.place, piece.channels


def _first(pieces: Sequence[Piece], limit: int | None) -> list[Piece]:
    """The first pieces, until they have that many channels."""
    found: list[Piece] = []
    for piece in pieces:
        if limit is not None and sum(len(each.channels) for each in found) >= limit:
            break
        found.append(piece)
    return found


class _Builder:
    """A folder that gets an atlas."""

    def __init__(self, classifier: Classifier, folder: Path, recipe: Recipe) -> None:
        self.checkpoint, self.spec = classifier.checkpoint, classifier.checkpoint.spec
        self.atlas = _begun(folder, self.checkpoint, recipe)
        self.parts = Parts(folder, self.checkpoint.sha256, recipe)
        self._write_index()

    def whole(self, place: Place) -> bool:
        """Whether a convolution has all of its tiles in its sheet, and the sheet is not damaged."""
        return self.atlas.complete(place, self.spec) and self.atlas.readable(place)

    def pieces(self, place: Place) -> list[Piece]:
        """All pieces of a convolution."""
        return pieces_of(place, self.spec, self.atlas.recipe.batch)

    def assemble(self, place: Place) -> None:
        """Makes the sheet of the pieces there are; when it is whole the pieces go."""
        made: dict[int, Made] = {}
        pieces = self.pieces(place)
        for piece in pieces:
            made |= {each.tile.channel: each for each in self.parts.read(*_key(piece)) or ()}
        if not made:
            return
        path = self.atlas.folder / sheet_name(place)
        sheet = write_sheet(path, made, place.width(self.spec), self.atlas.recipe.side)
        sheets: dict[Place, Sheet] = {**self.atlas.sheets, place: sheet}
        self.atlas = replace(self.atlas, sheets=sheets)
        self._write_index()
        if self.whole(place):
            self.parts.forget(place, [piece.channels[0] for piece in pieces])

    def _write_index(self) -> None:
        text = json.dumps(index_of(self.atlas, self.spec), separators=(",", ":"), allow_nan=False)
        write_whole(self.atlas.folder / INDEX, text.encode())


def begun(folder: Path, checkpoint: Checkpoint) -> TileAtlas | None:
    """What a build goes on with, None where there is nothing yet. Raises CheckpointError where its index is damaged or
    of other weights: no build can mend that."""
    if not (folder / INDEX).is_file():
        return None
    return load_atlas(folder, checkpoint, f"remove {folder}, or name another folder with --out")


def _begun(folder: Path, checkpoint: Checkpoint, recipe: Recipe) -> TileAtlas:
    """The atlas that the folder holds already, or an empty one; raises AtlasError where it was made otherwise."""
    found = begun(folder, checkpoint)
    if found is None:
        return TileAtlas(folder, checkpoint.sha256, checkpoint.name, recipe, {})
    asked = asdict(recipe)
    if other := [
        f"{name} {value}, not {asked[name]}" for name, value in asdict(found.recipe).items() if asked[name] != value
    ]:
        raise AtlasError(
            f"the atlas in {folder} was begun with {', '.join(other)}: ask for the same, or name another folder with "
            "--out"
        )
    return found
