"""The atlas of the chosen checkpoint: where there is one, the picture of every channel that it has made."""

from __future__ import annotations

from pathlib import Path

from app.state import network
from app.state.known import read_beside
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.visualization.places import all_places
from inception_model.visualization.tiles import INDEX, TileAtlas, atlas_folder, command, load_atlas


def atlas() -> TileAtlas | None:
    """The atlas; None where there is none. Raises CheckpointError for a wrong one, also for other weights."""
    checkpoint = network.checkpoint()
    folder = atlas_folder(checkpoint)
    return (
        None
        if folder is None
        else read_beside(folder / INDEX, lambda path, of: load_atlas(path.parent, of), checkpoint)
    )


def usable() -> TileAtlas | None:
    """As `atlas`, None for a wrong one too: where tiles are asked for, `missing` says what is wrong with it."""
    try:
        return atlas()
    except CheckpointError:
        return None


def missing() -> str:
    """Why there are no tiles, in one sentence; empty where there are some."""
    try:
        found = atlas()
    except CheckpointError as error:
        return f"{error}."
    if found is not None and found.made:
        return ""
    return f"There is no atlas of this checkpoint yet: {maker()} makes a picture of what every channel looks for."


def maker() -> str:
    """The command that makes the atlas, or the rest of it."""
    return f"`{command(Path(network.settings()[0]).name)}`"  # where an operator keeps files is nobody's business


def made_in(module: str) -> tuple[int, int]:
    """(tiles of a module's convolutions that are made, how many there are to be)."""
    found, spec = usable(), network.spec()
    places = [place for place in all_places(spec) if place.module == module]
    made = 0 if found is None else sum(len(found.sheets[place].tiles) for place in places if place in found.sheets)
    return made, sum(place.width(spec) for place in places)


def version() -> str:
    """What the tiles are at this moment, for cache keys; empty without any."""
    found = usable()
    if found is None or not found.made:
        return ""
    return f"{found.folder} {(found.folder / INDEX).stat().st_mtime_ns}"
