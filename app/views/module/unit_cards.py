"""Channels as cards that lead to them: a picture of each on the photo, its name and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from markupsafe import Markup
from PIL import Image

from app.jobs.channels import values_of
from app.jobs.looks_for import tiles_at
from app.jobs.stimuli import known_families
from app.state import network, selection
from app.state.panel import Panel
from app.static import script, style
from app.templates import render
from app.views.module import atlas
from inception_model.architecture.address import UnitAddress, parse_unit
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES
from inception_model.circuits.connections import CONNECTIONS
from inception_model.circuits.pictures import name_of
from inception_model.drawing import colormaps
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.visualization.places import Place

_CARDS = st.components.v2.component(
    "scope_unit_cards",
    html=render("module_unit_cards_place.html"),
    css=style("unit_cards"),
    js=script("unit_cards"),
)


@dataclass(frozen=True)
class Card:
    """One channel: its name and lines of words, its map on the photo, a kernel and its tile where there are such.

    `go`: the address to walk to, empty where the page shows no such channel. `branch`: its colour's name, or empty.
    `says`: all of it for whoever sees no picture.
    """

    name: str
    go: str
    branch: str
    map: str
    kernel: str
    lines: tuple[str, ...]
    says: str
    tile: str = ""


@dataclass(frozen=True)
class Side:
    """A group of cards: its title, how many there are of it, and its colour bar or nothing."""

    title: str
    all: str
    cards: tuple[Card, ...]
    scale: Markup | str = ""


def draw(sides: Sequence[Side], note: str, key: str) -> None:
    """The groups side by side; the first of each are shown, the others unfold. A click picks the card's channel."""

    draw_html(render("module_unit_cards.html", sides=sides, few=CONNECTIONS, note=note), key)


def draw_html(html: Markup, key: str) -> None:
    """Markup in which a click on what has a `data-unit` picks that channel."""

    def walked() -> None:
        picked: Any = (st.session_state.get(key) or {}).get("pick")
        if isinstance(picked, str):
            walk(picked)

    _CARDS(key=key, data={"html": html}, on_pick_change=walked)


def walk(text: str) -> None:
    """Makes the channel of that address the picked one; what names none is left alone."""
    try:
        selection.set_unit(parse_unit(text, network.spec()))
    except ValueError:
        return
    atlas.forget_figure()


def tiles_of(units: Iterable[UnitAddress]) -> dict[UnitAddress, str]:
    """What channels look for as pictures, of those that the checkpoint's atlas has."""
    places = {(Place(unit.conv, unit.module), unit.channel): unit for unit in units}
    return {places[place]: tile.address for place, tile in tiles_at(places).items()}


def card(
    panel: Panel,
    unit: UnitAddress,
    tiles: Mapping[UnitAddress, str],
    lines: Sequence[str],
    says: str,
    kernel: str = "",
) -> Card:
    """The card of a channel, with its tile if it is among those, and its families where its module was asked for
    them."""
    name, families = name_of(network.checkpoint(), unit), ", ".join(families_of(unit))
    told = tuple(line for line in (*lines, families) if line)
    kind = "" if unit.module is None else unit.conv.partition("_")[0]
    go = str(unit) if selection.has_unit(unit) else ""
    said = ": ".join(filter(None, (name, says)))
    return Card(name, go, kind, _map(panel, unit), kernel, told, said, tiles.get(unit, ""))


def families_of(unit: UnitAddress) -> tuple[str, ...]:
    """What made-up pictures say of a branch's channel, if its module's summary was asked for."""
    found = None if unit.module is None else known_families(unit.module)
    kind = next((kind for kind in BRANCHES if BRANCH_UNIT[kind] == unit.conv), None)
    if found is None or kind is None:
        return ()
    return found.of(network.spec().block(found.module).channels(kind).start + unit.channel)


def _map(panel: Panel, unit: UnitAddress) -> str:
    """The channel's map on the photo as a picture, each on a scale of its own; empty where no module holds it."""
    if not selection.has_unit(unit):
        return ""
    module, node = (unit.module, unit.conv) if unit.module else (network.spec().module_names[0], "input")
    values = values_of(panel.trace().block(module), node)[unit.channel]
    return data_url(png_bytes(Image.fromarray(colormaps.magma(values, float(values.max())))))
