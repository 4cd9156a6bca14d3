"""The figure with what channels look for in place of their maps: sheets of tiles, and where each node's tiles lie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.state import network, tiles
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.drawing.encoding import data_url
from inception_model.inference.trace import NODES
from inception_model.visualization.places import Place
from inception_model.visualization.tiles import Sheet, TileAtlas


def parts_of(module: str, node: str) -> list[tuple[Place, int]]:
    """The convolutions whose channels a node has, one after the other, and how many each gives it."""
    spec = network.spec()
    if node not in ("input", "output"):
        place = Place(node, module)
        return [(place, place.width(spec))]
    if node == "input":
        before = spec.module_names.index(module)
        if before == 0:
            return [(Place("conv2"), spec.stem.conv2)]
        module = spec.module_names[before - 1]
    return [(Place(BRANCH_UNIT[kind], module), spec.block(module).width(kind)) for kind in BRANCHES]


def missing(module: str, opened: Iterable[str]) -> str:
    """Why tiles of the module are not shown, in one sentence: there are none, or a sheet of theirs is damaged."""
    if said := tiles.missing():
        return said
    found, own = tiles.usable(), (node for node in NODES if node not in ("input", "output"))
    try:
        for place in (place for node in (*own, *opened) for place, _ in parts_of(module, node)):
            if found is not None and place in found.sheets:
                found.sheet_bytes(place)
    except CheckpointError as error:
        return f"{error}."
    return ""


def data_of(module: str, nodes: Iterable[str]) -> dict[str, Any]:
    """What the component draws tiles with: `sheets` by name, and per node which of them hold its channels.

    Empty without an atlas, or where one of its sheets is damaged: then `missing` says which.
    """
    found = tiles.usable()
    if found is None:
        return {}
    parts = {node: parts_of(module, node) for node in nodes}
    wanted = dict.fromkeys(place for of_node in parts.values() for place, _ in of_node if place in found.sheets)
    try:
        sheets = {str(place): _sheet(found, place) for place in wanted}
    except CheckpointError:
        return {}
    return {
        "sheets": sheets,
        "nodes": {
            node: [{"sheet": str(place), "count": count} for place, count in of_node] for node, of_node in parts.items()
        },
    }


def _sheet(atlas: TileAtlas, place: Place) -> dict[str, Any]:
    sheet: Sheet = atlas.sheets[place]
    width = place.width(network.spec())
    return {
        "src": data_url(atlas.sheet_bytes(place), "image/webp"),
        "columns": sheet.columns,
        "side": atlas.recipe.side,
        "missing": [channel for channel in range(width) if channel not in sheet.tiles],
    }
