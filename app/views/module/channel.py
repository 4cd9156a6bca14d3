"""One channel under the microscope: its map on the photo, facts beside it, and every branch at one position."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import state, theme
from app.views.module import channel_facts
from app.views.module.atlas import View, node_name, shared_scale, stats_of, values_of
from app.views.module.channel_facts import Unit
from app.widgets import teach
from app.widgets.inline_svg import draw
from inception_model.architecture.spec import BRANCHES, BranchKind
from inception_model.drawing import overlay
from inception_model.drawing.numbers import number

LAYERS = ("map", "cells", "receptive field", "measured support")
"""What may be drawn on the photo; `cells` shows the map's positions as squares instead of blending them."""

_CSS = """
:host { display: block; }
.spot { position: relative; display: block; line-height: 0; cursor: crosshair; border-radius: 8px; overflow: hidden;
  max-width: 560px; }
.spot img { width: 100%; height: auto; display: block; }
.spot:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
"""

_JS = """
export default function({ parentElement, data, setTriggerValue }) {
  const spot = parentElement.querySelector(".spot"), img = spot.querySelector("img");
  if (img.getAttribute("src") !== data.src) img.src = data.src;
  img.width = data.width;
  img.height = data.height;
  img.alt = data.alt;
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  spot.onclick = (event) => {
    const box = img.getBoundingClientRect();
    setTriggerValue("spot", { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
  };
  spot.onkeydown = (event) => {
    if (!(event.key in moves)) return;
    event.preventDefault();
    setTriggerValue("spot", { step: moves[event.key] });
  };
}
"""

_SPOT = st.components.v2.component(
    "scope_spot",
    html='<div class="spot" tabindex="0" role="application" aria-label="position on the photo: click, or arrow keys">'
    '<img alt=""></div>\n',
    css=_CSS,
    js=_JS,
)

_STYLE = """<style>
.st-key-channel-card { background: var(--card); border-radius: 8px; padding: 14px; }
.scope-title { font-size: 16px; font-weight: 700; margin: 0 0 6px; padding: 0; }
</style>"""

_SPOT_STYLE = """<style>
.spots { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 12px; }
.spot { border-top: 4px solid var(--c); background: var(--card); border-radius: 8px; padding: 9px 10px; }
.spot h3 { font-size: 14px; font-weight: 700; margin: 0; padding: 0; }
.spot small { color: var(--mut); font-weight: 400; font-size: 13px; font-variant-numeric: tabular-nums; }
.spot svg { display: block; width: 100%; height: 64px; margin-top: 6px; color: var(--c); }
</style>"""


def current_unit() -> Unit:
    """The picked channel at the picked position: without a pick, the strongest channel at its peak."""
    module, node = state.selected_module(), state.selected_node()
    with state.looking_at(state.first_photo()):  # two photos are compared by one channel
        channel = state.selected_channel(default=int(stats_of(module, node).mean.argmax()))
    spot = state.option(state.half_key("module.spot"), None)
    if spot is None or spot[0] != (state.current_photo().sha256, module):
        return channel_facts.peak_unit(module, node, channel)
    rows, columns = state.trace().block(module).node(node).shape[2:]
    return Unit(module, node, channel, min(spot[1], rows - 1), min(spot[2], columns - 1))


def go_to_spot(unit: Unit, x: float, y: float) -> None:
    """Looks at the position of the map nearest to a point of the photo (fractions of its width and height)."""
    preprocessing, field = state.checkpoint().preprocessing, channel_facts.field_of(unit)
    width, height = state.current_photo().size
    view = preprocessing.view((width, height))
    across = (x * width - view.left) / view.width * preprocessing.size - 0.5
    down = (y * height - view.top) / view.height * preprocessing.size - 0.5
    row, column = ((pixel - field.start) / field.jump for pixel in (down, across))
    set_spot(unit.module, unit.node, round(row), round(column))


def set_spot(module: str, node: str, row: int, column: int) -> None:
    """Looks at a position of the module's maps; beyond the border it stays at the border."""
    rows, columns = state.trace().block(module).node(node).shape[2:]
    place = (state.current_photo().sha256, module)
    state.set_option(
        state.half_key("module.spot"), (place, min(max(row, 0), rows - 1), min(max(column, 0), columns - 1))
    )


def scale_of(unit: Unit, view: View) -> float:
    """Where the colours of the channel end: with its group, or at its own largest value (of both photos)."""
    if view.scale == "shared":
        return shared_scale(unit.module, unit.node)
    return max(state.of_each(lambda: float(stats_of(unit.module, unit.node).max[unit.channel])))


def show(view: View) -> None:
    """The card of the picked channel, then the four branches at the position that is looked at."""
    unit = current_unit()
    scale = scale_of(unit, view)
    with card():
        left, right = st.columns([5, 7], gap="medium")
        with left:
            layers = layers_choice()
            picture_part(unit, scale, layers)
        with right:
            title(unit)
            facts_part(unit, scale, layers)
        teach.note("channel")
    position_part(unit)
    teach.note("profiles")


def card() -> DeltaGenerator:
    """The frame around everything about the channel."""
    st.html(_STYLE)
    return st.container(key=state.half_key("channel-card"))


def title(unit: Unit) -> None:
    """Which channel this is."""
    st.html(f'<h3 class="scope-title">{html.escape(unit.title)}</h3>')


def picture_part(unit: Unit, scale: float, layers: tuple[str, ...]) -> None:
    """The channel on the photo, with its colour bar."""
    _photo(unit, scale, layers, state.half_key("channel-photo"))
    draw(overlay.colour_bar(scale, unit="activation, raw"), "channel-bar")


def facts_part(unit: Unit, scale: float, layers: tuple[str, ...]) -> None:
    """What is known of the channel, and its files."""
    rows = channel_facts.facts(unit)
    if "measured support" in layers:
        rows["listens to"] = channel_facts.support_words(unit)
    theme.key_values(rows)
    heatmap = values_of(state.trace().block(unit.module), unit.node)[unit.channel]
    draw(channel_facts.histogram_svg(heatmap), "channel-histogram")
    # Last, because it may have to run the network backwards: the picture is there before.
    theme.key_values({**channel_facts.pushes(unit), "read by": channel_facts.readers(unit)})
    _downloads(unit, scale, layers, state.half_key("channel"))


def layers_choice(key: str = "channel-layers") -> tuple[str, ...]:
    """What is drawn on the photo, a choice of LAYERS."""

    def changed() -> None:
        state.set_option("module.layers", tuple(st.session_state[key]))

    chosen = state.option("module.layers", ("map", "receptive field"))
    st.session_state[key] = list(chosen)
    st.pills("On the photo", LAYERS, selection_mode="multi", key=key, on_change=changed, label_visibility="collapsed")
    return chosen


def _photo(unit: Unit, scale: float, layers: tuple[str, ...], key: str) -> None:
    image = channel_facts.picture(unit, scale, layers)
    alt = f"{unit.title} on {state.current_photo().name}, brightest {number(scale)}; a cross at the position looked at"

    def moved() -> None:
        value: Any = (st.session_state.get(key) or {}).get("spot") or {}
        if "step" in value:
            down, right = value["step"]
            set_spot(unit.module, unit.node, unit.row + int(down), unit.column + int(right))
        elif "x" in value:
            go_to_spot(unit, float(value["x"]), float(value["y"]))

    source = overlay.data_url(overlay.jpeg_bytes(image, quality=88), "image/jpeg")
    data = {"src": source, "alt": alt, "width": image.width, "height": image.height}
    _SPOT(key=key, data=data, on_spot_change=state.here(moved))


def _downloads(unit: Unit, scale: float, layers: tuple[str, ...], key: str) -> None:
    stem = f"{unit.module}-{unit.node}"
    with st.container(horizontal=True, key=f"{key}-downloads"):
        st.download_button(
            "PNG",
            state.here(lambda: overlay.png_bytes(channel_facts.picture(unit, scale, layers), level=6)),
            f"{stem}-{unit.channel}.png",
            "image/png",
            key=f"{key}-png",
            help="This picture",
            on_click="ignore",
        )
        st.download_button(
            "NPZ",
            state.here(lambda: channel_facts.npz_bytes(unit.module)),
            f"{unit.module}.npz",
            "application/octet-stream",
            key=f"{key}-npz",
            help="All eight arrays of the module, float32 (C, H, W)",
            on_click="ignore",
        )
        st.download_button(
            "CSV",
            state.here(lambda: channel_facts.csv_text(unit.module, unit.node)),
            f"{stem}.csv",
            "text/csv",
            key=f"{key}-csv",
            help=f"Statistics of every channel of {node_name(unit.node)}",
            on_click="ignore",
        )


def profile_html(kind: BranchKind, values: np.ndarray, top: float) -> str:
    """One branch at one position: a bar per channel (C,), all four branches on the scale 0 to `top`."""
    step = 280 / len(values)
    bars = "".join(
        f"M{i * step:.2f} 64v-{62 * value / top:.2f}h{step * 0.8:.2f}v{62 * value / top:.2f}z"
        for i, value in enumerate(values)
        if value > 0
    )
    strongest = [i for i in np.argsort(-values, kind="stable")[:3] if values[i] > 0]
    words = ", ".join(f"{i} ({number(float(values[i]))})" for i in strongest) or "silent here"
    name = theme.BRANCH_NAMES[kind]
    says = f"{name}: {int((values > 0).sum())} of {len(values)} channels active here, strongest {words}"
    return (
        f'<section class="spot" style="--c:var(--b{kind})"><h3>{name} <small>{int((values > 0).sum())} of '
        f"{len(values)} active · strongest {words}</small></h3>"
        f'<svg viewBox="0 0 280 64" preserveAspectRatio="none" role="img" aria-label="{html.escape(says)}">'
        f'<path d="{bars}" fill="currentColor"/><path d="M0 63.5H280" stroke="currentColor" opacity=".4"/></svg>'
        "</section>"
    )


def _profiles(unit: Unit) -> dict[BranchKind, np.ndarray]:
    """The values of every branch at the position that is looked at."""
    branches = state.trace().block(unit.module).branches
    return {kind: branches[kind].output[0, :, unit.row, unit.column].numpy() for kind in BRANCHES}


def position_part(unit: Unit) -> None:
    """The four branches at the position that is looked at, on one scale (of both photos)."""
    profiles = _profiles(unit)
    top = max(max(float(v.max()) for v in found.values()) for found in state.of_each(lambda: _profiles(current_unit())))
    active = sum(int((values > 0).sum()) for values in profiles.values())
    channels = sum(len(values) for values in profiles.values())
    theme.heading(
        "What each branch sees at the cross",
        f"Row {unit.row}, column {unit.column}: one bar per channel in the order of the concatenation, all on one "
        f"scale from 0 to {number(top)}; {active} of {channels} channels answer here. Click on the photo to look "
        "elsewhere. (Paper, Figure 2(b).)",
    )
    cards = "".join(profile_html(k, v, top or 1.0) for k, v in profiles.items())
    draw(f'{_SPOT_STYLE}<div class="spots">{cards}</div>', "channel-profiles")
    spot = state.half_key("module.spot")
    if state.option(spot, None) is not None:
        st.button(
            "Back to the channel's peak",
            key=state.half_key("channel-peak"),
            on_click=state.set_option,
            args=(spot, None),
        )
