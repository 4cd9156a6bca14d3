"""One channel under the microscope: its map on the photo, facts beside it, and every branch at one position."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from app import theme
from app.charts.histogram import HEIGHT, histogram_figure, histogram_words
from app.charts.profiles import profiles_figure, profiles_height, profiles_words
from app.jobs.channels import field_of, stats_of, values_of
from app.state import network, options, selection, session
from app.state.panel import Panel, Panels
from app.state.selection import Unit
from app.static import script, style
from app.templates import render, style_tag
from app.views.module import channel_facts, computation_panel, favourites, looks_for, strongest, unit_title
from app.views.module.atlas import View, shared_scale
from app.widgets import chart, shown_value, teach
from app.widgets.halves import Title, halves
from app.widgets.inline_svg import draw
from inception_model.architecture.spec import BRANCHES, BranchKind
from inception_model.drawing.colormaps import colour_bar
from inception_model.drawing.encoding import data_url, jpeg_bytes, png_bytes
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import node_name

LAYERS = ("map", "cells", "receptive field", "measured support")
"""What may be drawn on the photo; `cells` shows the map's positions as squares instead of blending them."""

_TITLE = st.components.v2.component(
    "scope_channel_title",
    html=render("module_title.html"),
    css=style("channel_title"),
    js=script("channel_title"),
)

_SPOT = st.components.v2.component(
    "scope_spot",
    html=render("module_spot.html"),
    css=style("channel"),
    js=script("channel"),
)


def current_unit(panels: Panels, panel: Panel) -> Unit:
    """The picked channel at the picked position: without a pick, the channel of the highest peak.

    Two photos are compared by one channel: that of the first.
    """
    module, node = selection.module(), selection.node()
    channel = selection.channel(default=int(stats_of(panels[0], module, node).max.argmax()))
    spot = session.option(options.MODULE_SPOT.beside(panel.key))
    if spot is None or spot[0] != (panel.photo.key, module):
        return channel_facts.peak_unit(panel, module, node, channel)
    rows, columns = panel.trace().block(module).node(node).shape[2:]
    return Unit(module, node, channel, min(spot[1], rows - 1), min(spot[2], columns - 1))


def go_to_spot(panel: Panel, unit: Unit, x: float, y: float) -> None:
    """Looks at the position of the map nearest to a point of the photo (fractions of its width and height)."""
    preprocessing, field = network.checkpoint().preprocessing, field_of(unit)
    width, height = panel.photo.size
    view = preprocessing.view((width, height), panel.photo.square)
    across = (x * width - view.left) / view.width * preprocessing.size - 0.5
    down = (y * height - view.top) / view.height * preprocessing.size - 0.5
    row, column = ((pixel - field.start) / field.jump for pixel in (down, across))
    set_spot(panel, unit.module, unit.node, round(row), round(column))


def set_spot(panel: Panel, module: str, node: str, row: int, column: int) -> None:
    """Looks at a position of the module's maps; beyond the border it stays at the border."""
    rows, columns = panel.trace().block(module).node(node).shape[2:]
    spot = (panel.photo.key, module), min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)
    session.set_option(options.MODULE_SPOT.beside(panel.key), spot)


def scale_of(panels: Panels, unit: Unit, view: View) -> float:
    """Where the colours of the channel end: with its group, or at its own largest value (of both photos)."""
    if view.scale == "shared":
        return shared_scale(panels, unit.module, unit.node)
    return max(float(stats_of(panel, unit.module, unit.node).max[unit.channel]) for panel in panels)


def show(panels: Panels, view: View) -> None:
    """The panel of the picked channel: on the photo, and what is known of it; on one scale for two photos."""
    unit = current_unit(panels, panels[0])
    scale = scale_of(panels, unit, view)
    st.html(style_tag("channel_panel"))
    with st.container(key="channel-panel"):
        title(unit)
        with st.container(key="channel-body"):
            unit_title.show(unit)
            layers = layers_choice()
            if len(panels) > 1:
                scale_part(scale)
                computation_panel.switch()
            halves(panels, lambda panel, _: _picture_and_facts(panels, panel, scale, layers))
            teach.note("channel")


def _picture_and_facts(panels: Panels, panel: Panel, scale: float, layers: tuple[str, ...]) -> None:
    unit = current_unit(panels, panel)
    _photo(panel, unit, scale, layers)
    if len(panels) == 1:
        scale_part(scale)
        computation_panel.switch()
    with st.container(key=panel.widget_key("channel-facts")):
        computation_panel.show(panel, unit)
        facts_part(panel, unit, scale, layers)


def show_position(panels: Panels) -> None:
    """The four branches at the position that is looked at."""
    halves(panels, lambda panel, above: position_part(panels, panel, above))
    teach.note("profiles")


def title(unit: Unit) -> None:
    """Which channel this is; the browser writes another one's name there as long as it is looked at."""
    _TITLE(
        key="channel-title",
        data={
            "title": unit.title,
            "line": "pinned; hover, arrow keys or a finger show others",
            "module": unit.module,
            "node": unit.node,
            "channel": unit.channel,
        },
    )


def scale_part(scale: float) -> None:
    """The colours of the picture, of both photos."""
    draw(colour_bar(scale, unit="activation, raw"), "channel-bar")


def facts_part(panel: Panel, unit: Unit, scale: float, layers: tuple[str, ...]) -> None:
    """What is known of the channel, and its files."""
    rows = channel_facts.facts(panel, unit)
    if "measured support" in layers:
        rows["listens to"] = channel_facts.support_words(panel, unit)
    theme.key_values(rows)
    heatmap = values_of(panel.trace().block(unit.module), unit.node)[unit.channel]
    chart.later(
        partial(histogram_figure, heatmap),
        HEIGHT,
        panel.widget_key("channel-histogram"),
        histogram_words(heatmap),
        "histogram",
    )
    # Last, because it may have to run the network backwards: the picture is there before.
    theme.key_values({**channel_facts.pushes(panel, unit), "read by": channel_facts.readers(unit)})
    _downloads(panel, unit, scale, layers)
    if panel.first:
        strongest.show(unit)
        looks_for.show(unit)


def layers_choice(key: str = "channel-layers") -> tuple[str, ...]:
    """What is drawn on the photo, a choice of LAYERS."""

    def changed() -> None:
        session.set_option(options.MODULE_LAYERS, tuple(st.session_state[key]))

    chosen = session.option(options.MODULE_LAYERS)
    shown_value.draw(
        st.pills, "On the photo", key, chosen,
        options=LAYERS, selection_mode="multi", on_change=changed, label_visibility="collapsed",
    )  # fmt: skip
    return chosen


def _photo(panel: Panel, unit: Unit, scale: float, layers: tuple[str, ...]) -> None:
    key, image = panel.widget_key("channel-photo"), channel_facts.picture(panel, unit, scale, layers)
    alt = f"{unit.title} on {panel.photo.name}, brightest {number(scale)}; a cross at the position looked at"

    def moved() -> None:
        value: Any = (st.session_state.get(key) or {}).get("spot") or {}
        if "at" in value:
            row, column = value["at"]
            set_spot(panel, unit.module, unit.node, int(row), int(column))
        elif "x" in value:
            go_to_spot(panel, unit, float(value["x"]), float(value["y"]))

    source = data_url(jpeg_bytes(image, quality=88), "image/jpeg")
    shown = {"photo": panel.key, "module": unit.module, "node": unit.node, "channel": unit.channel}
    rows, columns = panel.trace().block(unit.module).node(unit.node).shape[2:]
    place = {"at": [unit.row, unit.column], "end": [rows - 1, columns - 1]}
    data = {"src": source, "alt": alt, "width": image.width, "height": image.height, "unit": shown, **place}
    _SPOT(key=key, data=data, on_spot_change=moved)


def _downloads(panel: Panel, unit: Unit, scale: float, layers: tuple[str, ...]) -> None:
    stem, key = f"{unit.module}-{unit.node}", panel.widget_key("channel")
    with st.container(horizontal=True, key=f"{key}-downloads"):
        if panel.first:
            favourites.button(unit)
        st.download_button(
            "PNG",
            lambda: png_bytes(channel_facts.picture(panel, unit, scale, layers), level=6),
            f"{stem}-{unit.channel}.png",
            "image/png",
            key=f"{key}-png",
            help="This picture",
            on_click="ignore",
        )
        st.download_button(
            "NPZ",
            lambda: channel_facts.npz_bytes(panel, unit.module),
            f"{unit.module}.npz",
            "application/octet-stream",
            key=f"{key}-npz",
            help="All eight arrays of the module, float32 (C, H, W)",
            on_click="ignore",
        )
        st.download_button(
            "CSV",
            lambda: channel_facts.channels_csv(panel, unit.module, unit.node),
            f"{stem}.csv",
            "text/csv",
            key=f"{key}-csv",
            help=f"Statistics of every channel of {node_name(unit.node)}",
            on_click="ignore",
        )


def _profiles(panel: Panel, unit: Unit) -> dict[BranchKind, np.ndarray]:
    """The values of every branch at the position that is looked at."""
    branches = panel.trace().block(unit.module).branches
    return {kind: branches[kind].output[0, :, unit.row, unit.column].numpy() for kind in BRANCHES}


def position_part(panels: Panels, panel: Panel, above: Title) -> None:
    """The four branches at the position that is looked at, on one scale (of both photos)."""
    unit = current_unit(panels, panel)
    profiles = _profiles(panel, unit)
    top = max(float(v.max()) for each in panels for v in _profiles(each, current_unit(panels, each)).values())
    active = sum(int((values > 0).sum()) for values in profiles.values())
    channels = sum(len(values) for values in profiles.values())
    theme.heading(
        "What each branch sees at the cross",
        f"Row {unit.row}, column {unit.column}: one bar per channel in the order of the concatenation, all on one "
        f"scale from 0 to {number(top)}; {active} of {channels} channels answer here. Click on the photo to look "
        "elsewhere. (Paper, Figure 2(b).)",
        above,
    )
    chart.later(
        partial(profiles_figure, profiles, top),
        profiles_height(profiles),
        panel.widget_key("channel-profiles"),
        profiles_words(profiles),
        "profiles",
    )
    spot = options.MODULE_SPOT.beside(panel.key)
    if session.option(spot) is not None:
        st.button(
            "Back to the channel's peak",
            key=panel.widget_key("channel-peak"),
            on_click=session.set_option,
            args=(spot, None),
        )
