"""What the Module page asks about a channel apart from any photo: the picture that it looks for or is most against.

A picture stays in memory as every answer does, and in the cache folder for the next start.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.jobs.background import Job
from app.state import network, tiles
from app.state.options import MODULE_PICTURE, MODULE_PICTURE_STEPS, PictureKind
from app.state.selection import Unit
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.drawing.encoding import data_url, jpeg_bytes
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress
from inception_model.visualization.kept import KeptPictures
from inception_model.visualization.objectives import Objective, negative, of_channel
from inception_model.visualization.places import Place
from inception_model.visualization.result import Visualization
from inception_model.visualization.settings import Settings
from inception_model.visualization.tiles import Recipe, Tile
from inception_model.visualization.visualizing import visualize

DIVERSE = 4
"""Pictures of one channel that are made together and kept apart from each other."""

_Asked = tuple[str, Objective, Settings]
_made: dict[_Asked, NDArray[np.uint8]] = {}
"""The pictures that are being made now, as far as they are."""


@dataclass(frozen=True)
class Wanted:
    """Which picture of a channel: what it is to show, and in how many steps it is made."""

    kind: PictureKind = MODULE_PICTURE.default
    steps: int = MODULE_PICTURE_STEPS.default

    @property
    def usual(self) -> bool:
        """Whether it is the one that an atlas holds small: nobody chose another."""
        return self == Wanted()


def objective_of(unit: Unit) -> Objective:
    """The channel where a convolution computes it: of an input, in the module before."""
    spec, module, channel = network.spec(), unit.module, unit.channel
    if unit.node not in ("input", "output"):
        return of_channel(spec, Place(unit.node, module), channel)
    if unit.node == "input":
        place = spec.module_names.index(module)
        if place == 0:
            return of_channel(spec, Place("conv2"), channel)
        module = spec.module_names[place - 1]
    block = spec.block(module)
    kind = next(kind for kind in BRANCHES if channel < block.channels(kind).stop)
    return of_channel(spec, Place(BRANCH_UNIT[kind], module), channel - block.channels(kind).start)


def looks_for_job(unit: Unit, wanted: Wanted) -> Job:
    """The pictures (a Visualization) of the unit's channel, the position left aside; compared with the samples."""
    asked = _asked(unit, wanted)
    name, objective, settings = asked

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Visualization:
        def preview(_: int, pixels: NDArray[np.uint8]) -> None:
            _made[asked] = pixels

        try:
            (made,) = visualize(twin, [objective], settings, progress=progress, cancel=cancel, preview=preview)
        finally:
            _made.pop(asked, None)
        KeptPictures().keep(name, made)
        return made

    return Job(_key(asked), compute)


def known(unit: Unit, wanted: Wanted) -> Visualization | None:
    """The pictures if they are remembered or kept in the cache folder."""
    asked, service = _asked(unit, wanted), network.service()
    remembered: Visualization | None = service.recall(("", _key(asked)))
    if remembered is not None:
        return remembered
    kept = KeptPictures().find(*asked)
    return None if kept is None else service.remember(("", _key(asked)), lambda: kept)


@dataclass(frozen=True)
class AtlasTile:
    """A channel's tile, how it was made, and what is known of it. `address`: the picture as a page carries it."""

    facts: Tile
    recipe: Recipe
    picture: Image.Image
    address: str


def tile_of(unit: Unit) -> AtlasTile | None:
    """The tile of a unit's channel in the checkpoint's atlas; None where there is no atlas, or no such tile in it."""
    (term,) = objective_of(unit).terms
    ((channel, _),) = term.weights
    return tiles_at([(term.place, channel)]).get((term.place, channel))


def tiles_at(channels: Iterable[tuple[Place, int]]) -> dict[tuple[Place, int], AtlasTile]:
    """The tiles of channels of convolutions that the checkpoint's atlas has, remembered. A sheet is decoded once."""
    atlas = tiles.usable()
    if atlas is None:
        return {}
    service, version = network.service(), tiles.version()
    found: dict[tuple[Place, int], AtlasTile] = {}
    missing: dict[Place, list[int]] = defaultdict(list)
    for place, channel in dict.fromkeys(channels):
        if place not in atlas.sheets or channel not in atlas.sheets[place].tiles:
            continue
        held: AtlasTile | None = service.recall(_tile_key(version, place, channel))
        if held is None:
            missing[place].append(channel)
        else:
            found[place, channel] = held
    for place, numbers in missing.items():
        try:
            pictures = atlas.pictures(place, numbers)
        except CheckpointError:
            continue
        for channel, picture in pictures.items():
            address = data_url(jpeg_bytes(picture), "image/jpeg")
            make = partial(AtlasTile, atlas.sheets[place].tiles[channel], atlas.recipe, picture, address)
            found[place, channel] = service.remember(_tile_key(version, place, channel), make)
    return found


def _tile_key(version: str, place: Place, channel: int) -> Hashable:
    return "", ("tile", version, str(place), channel)


def as_far_as(unit: Unit, wanted: Wanted) -> NDArray[np.uint8] | None:
    """The pictures that are being made, (N, S, S, 3), or None."""
    return _made.get(_asked(unit, wanted))


def _asked(unit: Unit, wanted: Wanted) -> _Asked:
    objective = objective_of(unit)
    if wanted.kind == "negative":
        objective = negative(objective)
    pictures = DIVERSE if wanted.kind == "diverse" else 1
    return " ".join(network.classifier_key()), objective, Settings(steps=wanted.steps, pictures=pictures)


def _key(asked: _Asked) -> tuple[str, Objective, Settings]:
    return ("looks for", *asked[1:])
