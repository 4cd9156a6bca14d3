"""What the Module page asks about a channel apart from any photo: the picture that it looks for.

A picture stays in memory as every answer does, and in the cache folder for the next start.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.jobs.background import Job
from app.state import network, tiles
from app.state.selection import Unit
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress
from inception_model.visualization.kept import KeptPictures
from inception_model.visualization.objectives import Objective, of_channel
from inception_model.visualization.places import Place
from inception_model.visualization.result import Visualization
from inception_model.visualization.settings import Settings
from inception_model.visualization.tiles import Recipe, Tile
from inception_model.visualization.visualizing import visualize

_Asked = tuple[str, Objective, Settings]
_made: dict[_Asked, NDArray[np.uint8]] = {}
"""The pictures that are being made now, as far as they are."""


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


def looks_for_job(unit: Unit) -> Job:
    """The picture (a Visualization) of the unit's channel, the position left aside; compared with the samples."""
    asked = _asked(unit)
    name, objective, settings = asked

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Visualization:
        def preview(_: int, pixels: NDArray[np.uint8]) -> None:
            _made[asked] = pixels[0]

        try:
            (made,) = visualize(twin, [objective], settings, progress=progress, cancel=cancel, preview=preview)
        finally:
            _made.pop(asked, None)
        KeptPictures().keep(name, made)
        return made

    return Job(_key(asked), compute)


def known(unit: Unit) -> Visualization | None:
    """The picture if it is remembered or kept in the cache folder."""
    asked, service = _asked(unit), network.service()
    remembered: Visualization | None = service.recall(("", _key(asked)))
    if remembered is not None:
        return remembered
    kept = KeptPictures().find(*asked)
    return None if kept is None else service.remember(("", _key(asked)), lambda: kept)


@dataclass(frozen=True)
class AtlasTile:
    """A channel's tile, how it was made, and what is known of it."""

    facts: Tile
    recipe: Recipe
    picture: Image.Image


def tile_of(unit: Unit) -> AtlasTile | None:
    """The tile of a unit's channel in the checkpoint's atlas; None where there is no atlas, or no such tile in it."""
    atlas, (term,) = tiles.usable(), objective_of(unit).terms
    ((channel, _),) = term.weights
    sheet = None if atlas is None else atlas.sheets.get(term.place)
    if atlas is None or sheet is None or channel not in sheet.tiles:
        return None
    facts, place, recipe = sheet.tiles[channel], term.place, atlas.recipe
    key = "", ("tile", tiles.version(), str(place), channel)
    try:
        return network.service().remember(key, lambda: AtlasTile(facts, recipe, atlas.picture(place, channel)))
    except CheckpointError:
        return None


def as_far_as(unit: Unit) -> NDArray[np.uint8] | None:
    """The picture that is being made, (S, S, 3), or None."""
    return _made.get(_asked(unit))


def _asked(unit: Unit) -> _Asked:
    return " ".join(network.classifier_key()), objective_of(unit), Settings()


def _key(asked: _Asked) -> tuple[str, Objective, Settings]:
    return ("looks for", *asked[1:])
