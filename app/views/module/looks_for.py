"""What a channel looks for, beside the channel: pictures made on request, and how they compare with photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from app.jobs.looks_for import DIVERSE, Wanted, as_far_as, known, looks_for_job, tile_of
from app.state import options
from app.state.options import PictureKind
from app.state.selection import Unit
from app.templates import render
from app.widgets import progress
from app.widgets.inline_svg import draw
from app.widgets.persistent_choice import persistent_choice
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.drawing.numbers import number, signed_number
from inception_model.drawing.palette import node_name
from inception_model.visualization.result import Visualization
from inception_model.visualization.tiles import Tile

LARGER = "Make a larger one"
STEPS = (32, 64, 128, 256, 512)
"""Of a picture: from a sketch to lucid's own number."""


@dataclass(frozen=True)
class Kind:
    """A choice of what is made: its name, the button that makes it, and the picture's title.

    `shows`: what such a picture of a channel shows, after the channel's name.
    """

    name: str
    ask: str
    title: str
    shows: str


KINDS: dict[PictureKind, Kind] = {
    "channel": Kind("the channel", "What does it look for?", "What it looks for", "looks for"),
    "negative": Kind("its negative", "What is it most against?", "What it is most against", "is most against"),
    "diverse": Kind(
        f"{DIVERSE} different", "What different things does it look for?", "Different things that it looks for",
        "looks for",
    ),
}  # fmt: skip


def show(unit: Unit) -> None:
    """What to make and in how many steps; the picture of it if there is one, else a button that makes it in the
    background. A tile of the atlas stands for the picture that nobody has chosen otherwise."""
    wanted = _choices()
    kind, made = KINDS[wanted.kind], known(unit, wanted)
    tile = tile_of(unit) if made is None and wanted.usual else None
    if tile is not None:
        text = channel_words(unit, tile.facts, tile.recipe.steps)
        draw(_drawn(unit, wanted, [np.asarray(tile.picture)], text), "looks-for-tile")
    if made is None:
        made = progress.answer(
            None,
            "looks-for",
            looks_for_job(unit, wanted),
            "Making a picture" if wanted.kind != "diverse" else "Making pictures",
            ask=kind.ask if tile is None else LARGER,
            meanwhile=lambda: _preview(unit, wanted),
        )
    if made is not None:
        draw(_drawn(unit, wanted, list(made.pixels), words(unit, wanted, made)), "looks-for-picture")


def _choices() -> Wanted:
    names = {kind: each.name for kind, each in KINDS.items()}
    kind: PictureKind = persistent_choice(
        st.segmented_control, "A picture of", options.MODULE_PICTURE, names, options=list(names),
        format_func=names.get, required=True, wrap=True,
        help="What raises the channel, what lowers it (before its ReLU), or several pictures that raise it and are "
        "kept unlike each other.",
    )  # fmt: skip
    steps: int = persistent_choice(
        st.select_slider, "Steps", options.MODULE_PICTURE_STEPS, STEPS, options=STEPS,
        help="Twice as many take twice as long.",
    )  # fmt: skip
    return Wanted(kind, steps)


def name_of(unit: Unit) -> str:
    """The channel in the paper's words."""
    return f"channel {unit.channel} of {unit.module} {node_name(unit.node)}"


def words(unit: Unit, wanted: Wanted, made: Visualization) -> str:
    """How it was made, how strong the channel is on it, and how far to believe it."""
    steps = made.settings.steps
    if made.grey:
        return _GREY
    if wanted.kind == "negative":
        return _negative_words(unit, made, steps)
    if wanted.kind == "diverse":
        return _diverse_words(unit, made, steps)
    return channel_words(unit, Tile.of(made, unit.channel), steps)


def channel_words(unit: Unit, made: Tile, steps: int) -> str:
    """The same of a picture of the channel itself, which may be a tile."""
    if made.grey:
        return _GREY
    told = f"Noise, changed in {steps} steps until {name_of(unit)} is at {number(made.objective)}"
    photo = None if made.natural is None else f"{made.photo}, {number(made.natural)}"
    return _beside_photos(told, photo, None if made.ratio is None else f"{made.ratio:.1f} times its peak", _SILENT)


def _beside_photos(told: str, photo: str | None, ratio: str | None, never: str) -> str:
    """What was told, and how that stands to the sample photos: nothing where no `photo` was looked at, and `never`
    where there is no `ratio` to any."""
    beside = "" if photo is None else f", {ratio} on the sample photos ({photo})" if ratio else f"; {never}"
    return f"{told}{beside}. {_BELIEVE}"


def _negative_words(unit: Unit, made: Visualization, steps: int) -> str:
    lowest = signed_number(-float(made.strengths[0]))
    told = f"Noise, changed in {steps} steps until {name_of(unit)} is at {lowest} before its ReLU"
    photo = None if made.natural is None else f"{made.natural.photo}, {signed_number(-made.natural.strength)}"
    ratio = None if made.ratios is None else f"{float(made.ratios[0]):.1f} times its lowest"
    return _beside_photos(told, photo, ratio, "no sample photo brings it below zero")


def _diverse_words(unit: Unit, made: Visualization, steps: int) -> str:
    told = (
        f"Noise from {len(made.pixels)} seeds, changed together in {steps} steps and kept unlike each other, until "
        f"{name_of(unit)} is at {_span([number(float(value)) for value in np.sort(made.strengths)])}"
    )
    photo = None if made.natural is None else f"{made.natural.photo}, {number(made.natural.strength)}"
    ratios = None if made.ratios is None else _span([f"{float(ratio):.1f}" for ratio in np.sort(made.ratios)])
    return _beside_photos(told, photo, ratios and f"{ratios} times its peak", _SILENT)


_SILENT = "it is silent on every sample photo"
_GREY = (
    "It stayed grey: nothing in the noise it started from moves this channel. That says nothing about the channel: see "
    "what the photos show."
)
_BELIEVE = (
    "Such pictures run through the network differently from photos, so believe photos first. (Olah et al. 2017; "
    "Borowski et al. 2021; Geirhos et al. 2024.)"
)


def _span(ordered: Sequence[str]) -> str:
    first, last = ordered[0], ordered[-1]
    return first if first == last else f"{first} to {last}"


def _preview(unit: Unit, wanted: Wanted) -> None:
    pictures = as_far_as(unit, wanted)
    if pictures is not None:
        text = "The picture so far." if len(pictures) == 1 else "The pictures so far."
        draw(_markup(wanted, list(pictures), text.removesuffix("."), text), "looks-for-preview")


def _drawn(unit: Unit, wanted: Wanted, pictures: Sequence[NDArray[np.uint8]], text: str) -> str:
    return _markup(wanted, pictures, f"What {name_of(unit)} {KINDS[wanted.kind].shows}", text)


def _markup(wanted: Wanted, pictures: Sequence[NDArray[np.uint8]], alt: str, text: str) -> str:
    count = len(pictures)
    drawn = [
        {
            "src": data_url(png_bytes(Image.fromarray(picture))),
            "alt": alt if count == 1 else f"{alt}, {place} of {count}",
        }
        for place, picture in enumerate(pictures, 1)
    ]
    return render("module_looks_for.html", pictures=drawn, title=KINDS[wanted.kind].title, text=text)
