"""The channels that a visitor keeps: a button beside the picked one, and all of them as cards with a file to take."""

from __future__ import annotations

import streamlit as st

from app import theme
from app.jobs.circuits import address_of
from app.state import favourites
from app.state.panel import Panel
from app.state.selection import Unit, has_unit
from app.views.module import unit_cards
from app.views.module.unit_cards import Side


def button(unit: Unit) -> None:
    """Keeps the picked channel, or lets go of it."""
    address = address_of(unit)
    held = address in favourites.kept()
    st.button(
        "Kept" if held else "Keep",
        key="favourite",
        icon=":material/star:" if held else ":material/star_border:",
        on_click=favourites.toggle,
        args=(address,),
        help="Let go of this channel" if held else "Keep this channel: a list further down leads back to it",
    )


def show(panel: Panel) -> None:
    """What was kept, if anything."""
    units = favourites.kept()
    if not units:
        return
    theme.heading(
        "Channels you keep",
        "For this network and as long as this page stays open; the file keeps them longer. A click picks one.",
    )
    tiles = unit_cards.tiles_of(units)
    told = tuple(unit_cards.card(panel, unit, tiles, [], "kept") for unit in units if has_unit(unit))
    unit_cards.draw([Side("kept", f"{len(units)} in all", told)], "", "favourite-cards")
    with st.container(horizontal=True, key="favourites-files"):
        st.download_button(
            "JSON", favourites.as_json, "channels.json", "application/json", key="favourites-json", on_click="ignore",
            help="Addresses, names and links of these channels",
        )  # fmt: skip
        st.button("Forget all", key="favourites-forget", on_click=favourites.forget)
