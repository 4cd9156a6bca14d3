"""The circuit of the picked channel: what it reads and what reads it, as kernels; a click walks on to one of them."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from markupsafe import Markup

from app import theme
from app.jobs.circuits import address_of, circuit_of
from app.state import network, options
from app.state.panel import Panel
from app.state.selection import Unit
from app.views.module import unit_cards
from app.views.module.unit_cards import Card, Side
from app.widgets import teach
from app.widgets.persistent_choice import persistent_choice
from inception_model.architecture.address import UnitAddress
from inception_model.circuits.connections import CONNECTIONS, Connection
from inception_model.circuits.pictures import kernel_picture, name_of, scale_of
from inception_model.drawing.colormaps import colour_bar
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.drawing.numbers import number, signed_number

ASK = "Show the circuit"
MORE = 3 * CONNECTIONS
"""Connections of each side that a second look unfolds."""


def show(panel: Panel, unit: Unit) -> None:
    """The circuit behind its switch: closed, it costs nothing."""
    address = address_of(unit)
    name = name_of(network.checkpoint(), address)
    theme.heading(
        f"The circuit of {name}",
        "Which channels it reads and which read it, by the weights between them: the same for every photo. A click on "
        "one makes it the picked channel. (Olah et al. 2020, Zoom In.)",
    )
    if not persistent_choice(st.toggle, ASK, options.MODULE_CIRCUIT):
        return
    found = circuit_of(address)
    sides = [
        Side(
            title,
            f"the {min(CONNECTIONS, len(side))} strongest of {len(side)}",
            cards(panel, side[:MORE]),
            Markup(colour_bar(scale_of(side), "signed", "weight")),
        )
        for title, side in ((f"{name} reads", found.reads), (f"{name} is read by", found.read_by))
    ]
    tiles = any(card.tile for side in sides for card in side.cards)
    note = (
        "Left the kernel, red for and blue against whoever reads; "
        f"{'then' if tiles else 'right'} the channel's map on the photo{' and what it looks for' if tiles else ''}. "
        f"Sorted by the kernel's norm. {found.between[0].upper()}{found.between[1:]}."
    )
    unit_cards.draw(sides, note, "circuit-cards")
    teach.note("circuit")


def cards(panel: Panel, side: tuple[Connection, ...]) -> tuple[Card, ...]:
    """A card for each connection; all kernels of a side on one scale."""
    scale, tiles = scale_of(side), unit_cards.tiles_of(each.unit for each in side)
    return tuple(_card(panel, each, tiles, scale) for each in side)


def _card(panel: Panel, one: Connection, tiles: Mapping[UnitAddress, str], scale: float) -> Card:
    size = one.kernel.shape[-1]
    way = f"{'for' if one.total > 0 else 'against'} {signed_number(one.total)}"
    says = f"{way}, the sum of a {size}×{size} kernel of norm {number(one.strength)}"
    return unit_cards.card(panel, one.unit, tiles, [way], says, data_url(png_bytes(kernel_picture(one, scale))))
