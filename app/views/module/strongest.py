"""Beside the picked channel: the parts of photos that it answers most, of those at hand and of an indexed data set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st

from app.jobs import examples as jobs
from app.jobs.examples import Crop, at_hand, peaks, strongest_at_hand, strongest_of
from app.state import examples
from app.state.selection import Unit
from app.templates import as_text, render
from app.views.module.looks_for import name_of
from app.widgets.inline_svg import draw
from app.widgets.later import later
from inception_model.examples.index import Index
from inception_model.examples.shards import KINDS, Kind
from inception_model.serving.service import BusyError

HEIGHT = 150
TITLES: dict[Kind, str] = {
    "activation": "Strongest of {used} images",
    "relevance": "Where it pushed the answer most, of {used} images",
}
NAMED = 3
"""Classes that are named of the strongest images."""


def show(unit: Unit) -> None:
    """Draws the rows when the place is near the window; nothing where no convolution computes the channel."""
    if jobs.place_of(unit) is not None:
        later(partial(rows, unit), HEIGHT, "channel-strongest", f"Parts of photos that {name_of(unit)} answers most")


def rows(unit: Unit) -> None:
    """The strongest of the photos at hand, then those of the index."""
    try:
        known = [(photo, peaks(photo)) for photo in at_hand()]
    except BusyError as error:
        st.warning(as_text(str(error)))
        return
    crops = strongest_at_hand(unit, known)
    parts = [("Strongest on the photos at hand", crops, hand_words(len(known), len(crops)))]
    index = examples.usable()
    if index is not None:
        parts += [(TITLES[kind].format(used=f"{index.used:,}"), *_of(index, unit, kind)) for kind in KINDS]
    draw(render("module_strongest.html", parts=parts, unit=name_of(unit)), "channel-strongest")


def hand_words(photos: int, answering: int) -> str:
    """What the first row shows."""
    if not answering:
        return (
            f"Silent on all {photos} photos, yours and the samples." if photos else "No photo has been looked at yet."
        )
    return "What the channel sees at its peak, on your photos and the samples; a cross where an edge cuts it."


def _of(index: Index, unit: Unit, kind: Kind) -> tuple[list[Crop], str]:
    crops, classes = strongest_of(index, unit, kind)
    return crops, index_words(classes, bool(crops))


def index_words(classes: Mapping[str, int], drawn: bool) -> str:
    """Of which classes the strongest images are, and why they are not drawn."""
    if not classes:
        return "No image answers it."
    told = f"Of the {sum(classes.values())} strongest: {classes_words(classes)}."
    return told if drawn else f"{told} Their pixels are not on this server."


def classes_words(classes: Mapping[str, int]) -> str:
    """The classes that most images show, with how many of them: zebra (4), tiger; 3 show others."""
    most = sorted(classes.items(), key=lambda each: -each[1])[:NAMED]
    named = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in most)
    rest = sum(classes.values()) - sum(count for _, count in most)
    return named + ("" if not rest else "; 1 shows another class" if rest == 1 else f"; {rest} show others")
