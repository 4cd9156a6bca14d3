"""Concepts of the module on the photo: each as a map with its share of the credit and its strongest channels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import streamlit as st

from app import theme
from app.jobs.attribution import words_of
from app.jobs.channels import field_of
from app.jobs.concepts import Told, concepts_of, strongest_images
from app.jobs.examples import whole
from app.state import examples, network, options
from app.state.panel import Panel
from app.state.selection import Unit
from app.templates import as_text, render
from app.views.module import unit_cards
from app.views.module.strongest import classes_words
from app.widgets.persistent_choice import persistent_choice
from inception_model.circuits.concepts import CONCEPTS, MOST_CONCEPTS
from inception_model.circuits.connections import unit_of
from inception_model.circuits.pictures import name_of
from inception_model.drawing import overlay
from inception_model.drawing.encoding import data_url, jpeg_bytes
from inception_model.drawing.numbers import percent, short, signed
from inception_model.drawing.overlay import Grid
from inception_model.examples.index import Index
from inception_model.serving.service import BusyError

SIDE = 240
CHANNELS = 3
"""The strongest channels that are named for each concept."""
ALPHA = 0.75
CROPS = 3
"""Images of an index that are drawn for each of its concepts."""
SOURCES: dict[options.ConceptSource, str] = {"photo": "this photo", "index": "indexed images"}


def show(panel: Panel, unit: Unit) -> None:
    """The concepts behind their switch: closed, they cost nothing."""
    theme.heading(
        f"Concepts of {unit.module} on this photo",
        "All channels of the module, put together from a few groups that light up together: non-negative matrix "
        "factorisation, positions by channels. (Olah et al. 2018, neuron groups.)",
    )
    if not persistent_choice(st.toggle, "Show the concepts", options.MODULE_CONCEPTS):
        return
    index = _chosen_index()
    count = _chosen_count(most_of(panel, unit.module, index))
    try:
        told = concepts_of(panel, unit.module, count, index)
    except BusyError as error:
        st.warning(str(error))
        return
    html = render("module_concepts.html", concepts=rows(panel, unit.module, told, index), note=note(unit.module, told))
    unit_cards.draw_html(html, "concept-cards")


def most_of(panel: Panel, module: str, index: Index | None) -> int:
    """How many concepts a module can have: no more than its channels, or than positions of its map or images of the
    index. A network of 64 pixels has 2 x 2 positions in its last modules."""
    _, channels, rows, columns = panel.trace().block(module).output.shape
    places = rows * columns if index is None or index.sample is None else len(index.sample.images)
    return min(MOST_CONCEPTS, channels, places)


def _chosen_count(most: int) -> int:
    if most == 1:  # a slider needs two ends
        return 1
    return persistent_choice(
        st.slider, "How many", options.CONCEPT_COUNT.otherwise(min(CONCEPTS, most)), range(1, most + 1),
        min_value=1, max_value=most, width=420,
    )  # fmt: skip


def _chosen_index() -> Index | None:
    """The index whose images the concepts are of; None: they are the photo's own. Asked only where there is one."""
    index = examples.usable()
    if index is None or index.sample is None or len(index.sample.images) < 2:
        return None
    chosen = persistent_choice(
        st.segmented_control, "Groups found in", options.CONCEPT_SOURCE, SOURCES, options=list(SOURCES),
        format_func=SOURCES.__getitem__, required=True,
        help=f"Channels that light up at the same places of this photo, or, by their peaks, in the same of "
        f"{len(index.sample.images):,} images ({as_text(index.source)}); either way each map shows where they do here.",
    )  # fmt: skip
    return index if chosen == "index" else None


def rows(panel: Panel, module: str, told: Told, index: Index | None = None) -> list[dict[str, Any]]:
    """Each concept's picture, credit and channels; of an index's concepts also the images that have most of it."""
    checkpoint, found = network.checkpoint(), told.found
    spec, preprocessing = checkpoint.spec, checkpoint.preprocessing
    photo = overlay.fitted(panel.photo.image, SIDE)
    view = preprocessing.view(photo.size, panel.photo.square_on(photo.size))
    field = field_of(Unit(module, "output", 0, 0, 0))
    grid = Grid(field.start, field.jump, preprocessing.size)
    strongest = [
        [unit_of(spec, module, int(channel)) for channel in np.argsort(-direction, kind="stable")[:CHANNELS]]
        for direction in found.directions
    ]
    tiles = unit_cards.tiles_of(units[0] for units in strongest)
    listed = []
    for place, (heatmap, units) in enumerate(zip(found.maps, strongest, strict=True)):
        drawn = overlay.overlay_on_photo(
            photo, heatmap.astype(np.float32), view, scale=float(heatmap.max()), alpha=ALPHA, smooth=True, grid=grid
        )
        listed.append(
            {
                "title": f"concept {place + 1}",
                "picture": data_url(jpeg_bytes(drawn, quality=85), "image/jpeg"),
                "credit": _credit(told, place),
                "tile": tiles.get(units[0], ""),
                "strongest": name_of(checkpoint, units[0]),
                **_images(told, place, index),
                "channels": [(name_of(checkpoint, unit).removeprefix(f"{module} "), str(unit)) for unit in units],
            }
        )
    return listed


def _images(told: Told, place: int, index: Index | None) -> dict[str, Any]:
    if told.among is None or index is None:
        return {"images": [], "classes": ""}
    numbers = strongest_images(index, told.among, place)
    names = Counter(short(network.label(int(index.labels[number]))) for number in numbers)
    crops = [crop for number in numbers[:CROPS] if (crop := whole(index, number)) is not None]
    return {"images": crops, "classes": classes_words(names)}


def _credit(told: Told, place: int) -> str:
    if told.credit is None:
        return ""
    size = float(np.abs(told.credit).sum()) + abs(told.rest)
    share = f", {abs(told.credit[place]) / size:.0%} of the credit by size" if size else ""
    return f"{signed(float(told.credit[place]))} logits{share}"


def note(module: str, told: Told) -> str:
    """What they leave over of the activations and of the credit."""
    left = (
        ""
        if told.among is None
        else (
            f"Found in {told.among.shares.shape[1]:,} images by every channel's peak, of whose squares these groups "
            f"leave over {percent(told.among.left)}. "
        )
    )
    left += f"They leave over {percent(told.found.left)} of {module}'s squared activations on this photo"
    if told.about is None or told.credit is None:
        return f"{left}. No trained head reads {module}, so nothing is said of credit."
    head, target = told.about
    whole = float(told.credit.sum()) + told.rest
    return (
        f"{left}, and {signed(told.rest)} of the {signed(whole)} logits of credit (gradient times activation) that the "
        f"module's channels have for {words_of(target)} at {head}. Each map is on its own scale; a "
        "channel's name picks it."
    )
