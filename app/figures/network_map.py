"""The network drawn to scale, coloured by a quantity of a photo or of itself: the app's navigation."""

from __future__ import annotations

import html
from collections.abc import Mapping

import numpy as np
import streamlit as st

from app.figures.head_cards import HeadView, head_views
from app.figures.map_canvas import canvas
from app.figures.thumbnails import Thumbnail, thumbnails
from app.jobs.map_quantities import QUANTITIES, Computed, Quantity, Values, about, available
from app.state import navigation, network, options, selection, session
from app.state.panel import Panel, Panels
from app.widgets import halves, progress
from app.widgets.persistent_choice import persistent_choice
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, BlockSpec, BranchKind, NetworkSpec
from inception_model.drawing.colormaps import TABLES
from inception_model.drawing.colormaps import signed as signed_colours
from inception_model.drawing.numbers import number, percent, short
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.inference.trace import NODES

_HEIGHT, _WIDTH, _MIDDLE, _THUMB, _REDUCE = 150.0, 66.0, 163.0, 40.0, 10.0
PATIENCE = 1.0
"""Seconds that the page waits for a quantity before it shows a progress bar."""
_REDUCTIONS = tuple(node for node in NODES if node.endswith("_reduce"))


def value_range(values: Values, signed: bool) -> tuple[float, float]:
    """Where the colours begin and end: the smallest and largest number, or the largest magnitude about zero."""
    flat = [value for module in values.values() for value in module.values()]
    if signed:
        most = max(abs(value) for value in flat)
        return -most, most
    return min(flat), max(flat)


def map_svg(
    spec: NetworkSpec,
    quantity: Quantity,
    values: Values,
    sides: Mapping[str, int],
    heads: list[HeadView],
    thumbs: Mapping[str, Thumbnail],
    chosen: str | None = None,
    ends: tuple[float, float] | None = None,
) -> str:
    """The drawing: lanes as tall as their share of a module's channels, coloured by a quantity, and in front of two of
    them their 1x1 reductions on the same scale.

    `sides`: height of each module's maps in positions. `ends`: where the colours begin and end, if not with the
    smallest and largest value. Everything clickable carries `data-go`: `4d/5x5` for a branch,
    `4d/5x5_reduce` for its reduction, `4d/5x5/17` for a channel, `head/aux1` for a head.
    """
    pen = _Pen(quantity, values, ends)
    pen.box(54, 120, "image")
    pen.arrow()
    pen.box(58, 104, "stem")
    pen.arrow()
    for name in spec.module_names:
        pen.thumbnail(name, thumbs[name])
        pen.module(spec, name, sides[name], name == chosen)
        if spec.pool_after(name) is not None:
            pen.funnel()
        else:
            pen.arrow()
    pen.box(54, 104, "avg")
    pen.arrow()
    for head in heads:
        pen.pill(head)
    return (
        f'<svg viewBox="0 0 {pen.x:.0f} {_MIDDLE + 119:.0f}" role="group" aria-label="the network, module by module, '
        f'coloured by {quantity.label}">{"".join(pen.parts)}</svg>'
    )


class _Pen:
    """Draws from left to right; `x` is where the next part starts."""

    def __init__(self, quantity: Quantity, values: Values, ends: tuple[float, float] | None = None) -> None:
        self.x, self.parts, self.centres = 2.0, list[str](), dict[str, float]()
        self.quantity, self.values = quantity, values
        self.low, self.high = ends or value_range(values, quantity.signed)

    def box(self, width: float, height: float, text: str) -> None:
        """A part of the network that can't be entered."""
        self.parts.append(
            f'<rect class="quiet" x="{self.x}" y="{_MIDDLE - height / 2}" width="{width}" height="{height}" rx="4"/>'
            f'<text x="{self.x + width / 2}" y="{_MIDDLE + 4}">{text}</text>'
        )
        self.x += width

    def arrow(self) -> None:
        self.parts.append(f'<path class="way" d="M{self.x + 3} {_MIDDLE}h11m-4-4l4 4l-4 4"/>')
        self.x += 18

    def funnel(self) -> None:
        """A max pool: half as many positions follow."""
        self.parts.append(
            f'<path fill="var(--line)" d="M{self.x + 6} {_MIDDLE - 30}l9 12v36l-9 12z"><title>max pool</title></path>'
        )
        self.x += 21

    def thumbnail(self, name: str, thumb: Thumbnail) -> None:
        """The strongest channel of the module that comes next, above it."""
        words = (
            f"strongest channel of {name}: {BRANCH_NAMES[thumb.branch]} {thumb.channel}, "
            f"mean {number(thumb.mean)}, peak {number(thumb.peak)}; colours end at its own peak"
        )
        self.parts.append(
            f'<g role="button" tabindex="0" data-go="{name}/{thumb.branch}/{thumb.channel}" aria-label="{words}">'
            f'<title>{words}</title><image href="{thumb.source}" x="{self.x + _WIDTH / 2 - _THUMB / 2}" '
            f'y="{_MIDDLE - _HEIGHT / 2 - 8 - _THUMB}" width="{_THUMB}" height="{_THUMB}"/>'
            f'<rect class="ring" x="{self.x + _WIDTH / 2 - _THUMB / 2}" y="{_MIDDLE - _HEIGHT / 2 - 8 - _THUMB}" '
            f'width="{_THUMB}" height="{_THUMB}"/></g>'
        )

    def module(self, spec: NetworkSpec, name: str, side: int, chosen: bool) -> None:
        block = spec.block(name)
        top = _MIDDLE - _HEIGHT / 2
        self.parts.append(
            f'<g class="{"chosen" if chosen else ""}"><rect class="frame" x="{self.x - 3}" y="{top - 3}" '
            f'width="{_WIDTH + 6}" height="{_HEIGHT + 6}" rx="6"/>'
        )
        for kind in BRANCHES:
            height = _HEIGHT * block.width(kind) / block.out_channels
            inset = 0.0
            if reduced := block.reduce_width(kind):
                inset = _REDUCE + 2
                self.parts.append(self._reduction(block, kind, reduced, top + height / 2))
            self.parts.append(self._lane(name, kind, block.width(kind), top, height, inset))
            top += height
        centre = self.centres[name] = self.x + _WIDTH / 2
        self.parts.append(
            f'<text class="nm" x="{centre}" y="{_MIDDLE + 94}">{name}</text>'
            f'<text x="{centre}" y="{_MIDDLE + 109}">{side}×{side}×{block.out_channels}</text></g>'
        )
        self.x += _WIDTH

    def _reduction(self, block: BlockSpec, kind: BranchKind, channels: int, middle: float) -> str:
        words = f"{block.name} {BRANCH_NAMES[kind]} reduce: {block.in_channels} channels become {channels}"
        height = _HEIGHT * channels / block.out_channels
        return (
            f'<g role="button" tabindex="0" data-go="{block.name}/{kind}_reduce" aria-label="{words}">'
            f"<title>{words}</title>"
            f'<rect x="{self.x}" y="{middle - height / 2:.1f}" width="{_REDUCE}" height="{height:.1f}" rx="2" '
            f'fill="var(--b{kind})" opacity=".4"/></g>'
        )

    def _lane(self, name: str, kind: BranchKind, channels: int, top: float, height: float, inset: float) -> str:
        value = self.values.get(name, {}).get(kind)
        said = "lies behind this head" if value is None else f"{self.quantity.write(value)} {self.quantity.one}"
        words = f"{name} {BRANCH_NAMES[kind]}: {channels} channels, {said}"
        high, x, wide = max(height - 1.5, 1), self.x + inset, _WIDTH - inset
        return (
            f'<g role="button" tabindex="0" data-go="{name}/{kind}" aria-label="{words}"><title>{words}</title>'
            f'<rect x="{x}" y="{top:.1f}" width="{wide}" height="{high:.1f}" rx="2" {self._fill(kind, value)}/>'
            + (f'<rect class="edge" x="{x}" y="{top:.1f}" width="5" height="{high:.1f}" fill="var(--b{kind})"/>'
               if self.quantity.signed else "")
            + "</g>"
        )  # fmt: skip

    def _fill(self, kind: BranchKind, value: float | None) -> str:
        if value is None:
            return 'class="quiet"'
        if self.quantity.signed:
            red, green, blue = signed_colours(np.asarray(value), self.high)
            return f'fill="rgb({red},{green},{blue})" stroke="var(--line)"'
        shade = 0.2 + 0.8 * (value - self.low) / max(self.high - self.low, 1e-9)
        return f'fill="var(--b{kind})" fill-opacity="{shade:.2f}"'

    def pill(self, head: HeadView) -> None:
        """A head's answer, where it is computed."""
        words = f"{short(head.top[0].label)} {percent(head.top[0].probability)}" if head.trained else "untrained"
        shown = html.escape(words if len(words) < 17 else f"{short(head.top[0].label)[:11]}… {words.split()[-1]}")
        width = 14 + 6.4 * (len(head.name) + 1 + len(html.unescape(shown)))
        if head.name == "main":
            x, y, centre, stem = self.x + 2, _MIDDLE - 12, self.x + 2 + width / 2, ""
            self.x += width + 6
        else:
            centre = self.centres[head.after]
            x, y = centre - width / 2, 6.0
            stem = f'<path d="M{centre} 40V30" stroke="var(--{head.name})" stroke-width="2"/>'
        dim = "" if head.trained else ' opacity=".45"'
        label = html.escape(f"head {head.name}: {words}")
        self.parts.append(
            f'{stem}<g role="button" tabindex="0" data-go="head/{head.name}" aria-label="{label}"{dim}>'
            f'<title>{label}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="24" rx="12" '
            f'fill="var(--{head.name})"/><text class="pill {head.name}" x="{centre:.1f}" y="{y + 16}">'
            f"{head.name} {shown}</text></g>"
        )


def panel_svg(
    panel: Panel, name: str, values: Values, chosen: str | None = None, ends: tuple[float, float] | None = None
) -> str:
    """The drawing for a panel's photo and the network, coloured by a quantity."""
    trace = panel.trace()
    sides = {module: block.output.shape[-1] for module, block in trace.blocks.items()}
    thumbs = panel.remember(("map", "thumbnails"), lambda: thumbnails(trace))
    return map_svg(network.spec(), QUANTITIES[name], values, sides, head_views(panel), thumbs, chosen, ends)


def go(where: str) -> None:
    """From a callback: what a click on the map's part `where` (its `data-go`) means; anything else means nothing."""
    first, *rest = where.split("/")
    if first == "head":
        if rest and rest[0] in network.trained_heads():
            session.set_option(options.WHY_HEAD, rest[0])
        navigation.go_to("heads")
    elif first in network.spec().module_names and rest and rest[0] in (*BRANCHES, *_REDUCTIONS):
        kind: BranchKind = rest[0].removesuffix("_reduce")  # type: ignore[assignment]
        selection.set_module(first, kind)
        if rest[0] in _REDUCTIONS:
            selection.set_node(rest[0])
        if len(rest) == 2 and rest[1].isdecimal():
            selection.set_node(BRANCH_UNIT[kind], int(rest[1]))
        navigation.go_to("module")


def colour_choice() -> str:
    """The switch between quantities; returns the chosen one's name."""
    names = available()
    return persistent_choice(
        st.segmented_control, "Colour by", options.LOOK_COLOUR.otherwise(names[0]), names,
        options=names, format_func=lambda name: QUANTITIES[name].label, required=True, wrap=True,
    )  # fmt: skip


def show(panels: Panels, name: str, key: str = "map", chosen: str | None = None) -> None:
    """Legend and map, coloured by the quantity of that name, or by activation while it is being calculated.

    A click (or Enter) opens the Module page on that module, branch and channel; a head opens the Heads page. Of two
    photos, the maps stand one above the other, so that their columns meet, and share one scale.
    """
    found = [_found(panel, name) for panel in panels]
    if None in found:
        name = "activation"  # always known
        found = [_found(panel, name) for panel in panels]
    signed = QUANTITIES[name].signed
    lows, highs = zip(*(value_range(values, signed) for values in found if values), strict=True)
    ends = min(lows), max(highs)
    for panel, values in zip(panels, found, strict=True):
        halves.name(panels, panel)
        if panel.first or signed:  # signed ones speak of each photo's own answer
            legend(panel, name, ends)
        canvas(panel_svg(panel, name, values or {}, chosen, ends), panel.widget_key(key), go)


def _found(panel: Panel, name: str) -> Values | None:
    """The quantity of the panel's photo; None, with its progress on the page, as long as it is on its way."""
    source = QUANTITIES[name].source
    if not isinstance(source, Computed):
        return source(panel)
    known = progress.answer(panel, f"map-{name}", source.job(panel), source.title, patience=PATIENCE)
    return None if known is None else source.read(panel, known)


def legend(panel: Panel, name: str, ends: tuple[float, float]) -> None:
    """The four branch colours, and where the colours of the quantity begin and end."""
    quantity = QUANTITIES[name]
    reduction = "color-mix(in srgb,var(--b3x3) 40%,transparent)"
    marks = "".join(
        f'<span><i style="background:var(--b{kind})"></i>{label}</span>' for kind, label in BRANCH_NAMES.items()
    )
    marks += f'<span><i style="background:{reduction}"></i>light, in front: its 1×1 reduction</span>'
    low, high = (quantity.write(value) for value in ends)
    colours = (
        ",".join(f"rgb({r},{g},{b})" for r, g, b in TABLES["signed"][:: len(TABLES["signed"]) // 8])
        if quantity.signed
        else "color-mix(in srgb,var(--ink) 20%,transparent),var(--ink)"
    )
    bar = f'<i style="width:90px;margin:0 6px;background:linear-gradient(90deg,{colours})"></i>'
    of = html.escape(f"{quantity.one}{f', {about(panel, name)}' if quantity.signed else ''}")
    st.html(f'<div class="scope-leg">{marks}<span class="scope-scale">{low}{bar}{high} {of}</span></div>')
