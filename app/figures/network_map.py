"""The network drawn to scale, coloured by a quantity of a photo or of itself: the app's navigation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st
from markupsafe import Markup

from app.figures.head_cards import HeadView, head_views
from app.figures.map_canvas import canvas
from app.figures.thumbnails import Thumbnail, thumbnails
from app.jobs.map_quantities import QUANTITIES, Computed, Quantity, Values, about, available
from app.state import navigation, network, options, selection, session
from app.state.panel import Panel, Panels
from app.templates import render
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
) -> Markup:
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
    return render("network_map.html", parts=pen.parts, width=pen.x, middle=_MIDDLE, label=quantity.label)


class _Pen:
    """Places the parts from left to right; `x` is where the next one starts.

    `parts`: (shape, what the template's macro of that name takes).
    """

    def __init__(self, quantity: Quantity, values: Values, ends: tuple[float, float] | None = None) -> None:
        self.x, self.parts, self.centres = 2.0, list[tuple[str, dict[str, Any]]](), dict[str, float]()
        self.quantity, self.values = quantity, values
        self.low, self.high = ends or value_range(values, quantity.signed)

    def box(self, width: float, height: float, text: str) -> None:
        """A part of the network that can't be entered."""
        self.parts.append(("box", {"x": self.x, "width": width, "height": height, "text": text}))
        self.x += width

    def arrow(self) -> None:
        self.parts.append(("arrow", {"x": self.x}))
        self.x += 18

    def funnel(self) -> None:
        """A max pool: half as many positions follow."""
        self.parts.append(("funnel", {"x": self.x}))
        self.x += 21

    def thumbnail(self, name: str, thumb: Thumbnail) -> None:
        """The strongest channel of the module that comes next, above it."""
        words = (
            f"strongest channel of {name}: {BRANCH_NAMES[thumb.branch]} {thumb.channel}, "
            f"mean {number(thumb.mean)}, peak {number(thumb.peak)}; colours end at its own peak"
        )
        place = {"x": self.x + _WIDTH / 2 - _THUMB / 2, "y": _MIDDLE - _HEIGHT / 2 - 8 - _THUMB, "side": _THUMB}
        go = f"{name}/{thumb.branch}/{thumb.channel}"
        self.parts.append(("thumbnail", {**place, "go": go, "words": words, "source": thumb.source}))

    def module(self, spec: NetworkSpec, name: str, side: int, chosen: bool) -> None:
        block = spec.block(name)
        first = top = _MIDDLE - _HEIGHT / 2
        branches = []
        for kind in BRANCHES:
            height = _HEIGHT * block.width(kind) / block.out_channels
            reduced = block.reduce_width(kind)
            reduction = self._reduction(block, kind, reduced, top + height / 2) if reduced else None
            lane = self._lane(name, kind, block.width(kind), top, height, _REDUCE + 2 if reduced else 0.0)
            branches.append({"reduction": reduction, "lane": lane})
            top += height
        self.centres[name] = self.x + _WIDTH / 2
        place = {"x": self.x, "y": first, "width": _WIDTH, "height": _HEIGHT}
        size = f"{side}×{side}×{block.out_channels}"
        self.parts.append(("module", {**place, "name": name, "chosen": chosen, "branches": branches, "size": size}))
        self.x += _WIDTH

    def _reduction(self, block: BlockSpec, kind: BranchKind, channels: int, middle: float) -> dict[str, Any]:
        height = _HEIGHT * channels / block.out_channels
        return {
            "go": f"{block.name}/{kind}_reduce",
            "words": f"{block.name} {BRANCH_NAMES[kind]} reduce: {block.in_channels} channels become {channels}",
            "kind": kind, "x": self.x, "y": middle - height / 2, "width": _REDUCE, "height": height,
        }  # fmt: skip

    def _lane(
        self, name: str, kind: BranchKind, channels: int, top: float, height: float, inset: float
    ) -> dict[str, Any]:
        value = self.values.get(name, {}).get(kind)
        said = "lies behind this head" if value is None else f"{self.quantity.write(value)} {self.quantity.one}"
        return {
            "go": f"{name}/{kind}",
            "words": f"{name} {BRANCH_NAMES[kind]}: {channels} channels, {said}",
            "kind": kind, "x": self.x + inset, "y": top, "width": _WIDTH - inset, "height": max(height - 1.5, 1),
            "signed": self.quantity.signed, "value": value, **({} if value is None else self._colour(value)),
        }  # fmt: skip

    def _colour(self, value: float) -> dict[str, Any]:
        """The lane's own colour of a signed quantity, else how much of its branch's colour it has (0 to 1)."""
        if self.quantity.signed:
            speaks_for = -value if self.quantity.against else value
            red, green, blue = signed_colours(np.asarray(speaks_for), self.high)
            return {"fill": f"rgb({red},{green},{blue})"}
        return {"shade": 0.2 + 0.8 * (value - self.low) / max(self.high - self.low, 1e-9)}

    def pill(self, head: HeadView) -> None:
        """A head's answer, where it is computed."""
        words = f"{short(head.top[0].label)} {percent(head.top[0].probability)}" if head.trained else "untrained"
        shown = words if len(words) < 17 else f"{short(head.top[0].label)[:11]}… {words.split()[-1]}"
        width = 14 + 6.4 * (len(head.name) + 1 + len(shown))
        if stem := head.name != "main":
            centre = self.centres[head.after]
            x, y = centre - width / 2, 6.0
        else:
            x, y, centre = self.x + 2, _MIDDLE - 12, self.x + 2 + width / 2
            self.x += width + 6
        self.parts.append((
            "pill",
            {"name": head.name, "label": f"head {head.name}: {words}", "text": shown, "trained": head.trained,
             "x": x, "y": y, "width": width, "centre": centre, "stem": stem},
        ))  # fmt: skip


def panel_svg(
    panel: Panel, name: str, values: Values, chosen: str | None = None, ends: tuple[float, float] | None = None
) -> Markup:
    """The drawing for a panel's photo and the network, coloured by a quantity."""
    trace = panel.trace()
    sides = {module: block.output.shape[-1] for module, block in trace.blocks.items()}
    thumbs = panel.remember(("map", "thumbnails"), lambda: thumbnails(trace))
    heads = head_views(panel)
    shown = tuple((module, *numbers.items()) for module, numbers in values.items())
    return panel.remember(
        ("map", "drawing", name, shown, tuple(heads), chosen, ends),
        lambda: map_svg(network.spec(), QUANTITIES[name], values, sides, heads, thumbs, chosen, ends),
    )


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


def colour() -> str:
    """The chosen quantity's name."""
    names = available()
    chosen = session.option(options.LOOK_COLOUR.otherwise(names[0]))
    return chosen if chosen in names else names[0]


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
    colours = ["color-mix(in srgb,var(--ink) 20%,transparent)", "var(--ink)"]
    if quantity.signed:
        table = TABLES["signed"][:: len(TABLES["signed"]) // 8]
        colours = [f"rgb({r},{g},{b})" for r, g, b in (table[::-1] if quantity.against else table)]
    low, high = (quantity.write(value) for value in ends)
    of = f"{quantity.one}{f', {about(panel, name)}' if quantity.signed else ''}"
    st.html(render("network_map_legend.html", low=low, high=high, of=of, colours=colours))
