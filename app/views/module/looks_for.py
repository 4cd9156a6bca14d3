"""What a channel looks for, beside the channel: a picture made on request, and how it compares with photos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.jobs.looks_for import as_far_as, known, looks_for_job, tile_of
from app.state.selection import Unit
from app.templates import render
from app.widgets import progress
from app.widgets.inline_svg import draw
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import node_name
from inception_model.visualization.result import Visualization
from inception_model.visualization.tiles import Tile

ASK = "What does it look for?"
LARGER = "Make a larger one"


def show(unit: Unit) -> None:
    """The picture of the picked channel if there is one, else a button that makes it in the background."""
    made, tile = known(unit), tile_of(unit)
    if made is None and tile is not None:
        small, text = np.asarray(tile.picture), _words(unit, tile.facts, tile.recipe.steps)
        draw(_drawn(small, f"What {name_of(unit)} looks for", text), "looks-for-tile")
    if made is None:
        ask = ASK if tile is None else LARGER
        made = progress.answer(
            None, "looks-for", looks_for_job(unit), "Making a picture", ask=ask, meanwhile=lambda: _preview(unit)
        )
    if made is not None:
        picture = made.pixels[0]
        draw(_drawn(picture, f"What {name_of(unit)} looks for", words(unit, made)), "looks-for-picture")


def name_of(unit: Unit) -> str:
    """The channel in the paper's words."""
    return f"channel {unit.channel} of {unit.module} {node_name(unit.node)}"


def words(unit: Unit, made: Visualization) -> str:
    """How it was made, how strong it is, and how far to believe it."""
    return _words(unit, Tile.of(made, unit.channel), made.settings.steps)


def _words(unit: Unit, made: Tile, steps: int) -> str:
    if made.grey:
        return (
            "It stayed grey: nothing in the noise it started from moves this channel. That says nothing about the "
            "channel: see what the photos show."
        )
    told = f"Noise, changed in {steps} steps until {name_of(unit)} is at {number(made.objective)}"
    if made.natural is None:
        told += "."
    elif made.ratio is None:
        told += "; it is silent on every sample photo."
    else:
        told += f", {made.ratio:.1f} times its peak on the sample photos ({made.photo}, {number(made.natural)})."
    return (
        f"{told} Such pictures run through the network differently from photos, so believe photos first. (Olah et al. "
        "2017; Borowski et al. 2021; Geirhos et al. 2024.)"
    )


def _preview(unit: Unit) -> None:
    picture = as_far_as(unit)
    if picture is not None:
        draw(_drawn(picture, "The picture so far", "The picture so far."), "looks-for-preview")


def _drawn(picture: NDArray[np.uint8], alt: str, text: str) -> str:
    source = data_url(png_bytes(Image.fromarray(picture)))
    return render("module_looks_for.html", src=source, alt=alt, text=text)
