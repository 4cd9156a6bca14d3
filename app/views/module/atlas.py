"""A module as the paper's Figure 2(b): every node one atlas of all its channels; a picked cell goes to the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.jobs.channels import stats_of, values_of
from app.jobs.credit_order import Asked, credits_of
from app.state import network, options, selection, session
from app.state.panel import Panel, Panels
from app.static import script, style
from app.templates import render
from app.views.module import figure_tiles, preview
from inception_model.architecture.spec import BRANCH_UNIT, BRANCHES, BlockSpec, BranchKind
from inception_model.drawing.atlas import Atlas, ChannelStats, Scale, Sort, make_atlas
from inception_model.drawing.encoding import data_url
from inception_model.drawing.numbers import number, signed
from inception_model.drawing.palette import BRANCH_NAMES, node_name
from inception_model.inference.trace import NODES

WIDE = 52
"""Cells in a row of the whole figure on a wide screen."""
_LEAST = 8
"""Cells in a row of the narrowest branch: its title needs the room."""

_FIGURE = st.components.v2.component(
    "scope_module",
    html=render("module_figure.html"),
    css=style("atlas"),
    js=script("channel_map") + script("atlas_node") + script("atlas"),
)


@dataclass(frozen=True)
class View:
    """How a module is shown: the order of channels, the scale of colours, and which wide nodes are unfolded.

    `credit`: the head and target for whose score channels are ordered by their credit; it comes before `sort`.
    `tiles`: which atlas (`tiles.version`) is shown in place of the maps; empty for the maps.
    """

    sort: Sort = options.DEFAULT_ORDER
    scale: Scale = options.MODULE_SCALE.default
    opened: tuple[str, ...] = ()
    credit: Asked | None = None
    tiles: str = ""


def columns_for(counts: dict[BranchKind, int], total: int = WIDE, least: int = _LEAST) -> dict[BranchKind, int]:
    """Cells per row of each branch: proportional to its channels (reduction included), so that areas are to scale."""
    whole = sum(counts.values())
    columns = {kind: max(least, round(total * count / whole)) for kind, count in counts.items()}
    while sum(columns.values()) > total and max(columns.values()) > least:
        widest = max(columns, key=lambda kind: columns[kind])
        columns[widest] -= 1
    return columns


def group_of(node: str) -> tuple[str, ...]:
    """The nodes that share one colour scale with this one: the branches and their concatenation, or the reductions."""
    if node == "input":
        return ("input",)
    reductions = tuple(name for name in NODES if name.endswith("_reduce"))
    return reductions if node in reductions else tuple(n for n in NODES if n not in (*reductions, "input"))


def shared_scale(panels: Panels, module: str, node: str) -> float:
    """Where the colours of a node end on the shared scale: the largest activation of its group (in both photos)."""
    group = group_of(node)
    return max(float(stats_of(panel, module, name).max.max()) for panel in panels for name in group)


def _order(panels: Panels, module: str, node: str, view: View) -> Sort | np.ndarray:
    """What channels are ordered by; of two photos by the first one's numbers, so that both show one channel in one
    place."""
    if view.credit:
        return credits_of(panels[0], module, view.credit)[node]
    return "index" if view.sort == "index" else np.asarray(getattr(stats_of(panels[0], module, node), view.sort))


def _atlas(panels: Panels, panel: Panel, module: str, node: str, view: View) -> Atlas:
    values, stats = values_of(panel.trace().block(module), node), stats_of(panel, module, node)
    scale: float | Scale = "channel" if view.scale == "channel" else shared_scale(panels, module, node)
    return make_atlas(values, columns=32, sort=_order(panels, module, node, view), scale=scale, stats=stats)


def _summary(stats: ChannelStats) -> dict[str, str]:
    active = f"{float(stats.active.mean()):.0%} active"
    more = active + (f" · {stats.dead} dead" if stats.dead else "")
    return {"text": f"{len(stats.mean)} channels", "more": more}


def _node_data(panels: Panels, panel: Panel, module: str, node: str, view: View, show: int) -> dict[str, Any]:
    atlas = _atlas(panels, panel, module, node, view)
    stats = atlas.stats
    credit = credits_of(panel, module, view.credit)[node] if view.credit else ()
    return {
        "title": node_name(node),
        **_summary(stats),
        "src": data_url(atlas.png),
        "columns": atlas.columns,
        "cell": atlas.cell,
        "gap": atlas.gap,
        "show": show,
        "order": atlas.order,
        "mean": [number(float(v)) for v in stats.mean],
        "max": [number(float(v)) for v in stats.max],
        "active": [round(100 * float(v)) for v in stats.active],
        "credit": [signed(float(v), 3) for v in credit],
        "grid": preview.grid_of(module, node),
        "share": preview.shares(panels, panel, module, node) if view.scale == "channel" else [],
    }


def _branch_data(panel: Panel, block: BlockSpec, kind: BranchKind, grow: int) -> dict[str, Any]:
    return {
        "kind": kind,
        "node": BRANCH_UNIT[kind],
        "title": BRANCH_NAMES[kind],
        **_summary(stats_of(panel, block.name, BRANCH_UNIT[kind])),
        "reduce": f"{kind}_reduce" if block.reduce_width(kind) else None,
        "none": "3×3 max pool, then this 1×1 projection" if kind == "pool" else "no reduction: straight from the input",
        "grow": grow,
    }


def _wide_data(
    panel: Panel, module: str, node: str, title: str, shares: list[dict[str, Any]], view: View
) -> dict[str, Any]:
    high, wide = panel.trace().block(module).node(node).shape[2:]
    summary = _summary(stats_of(panel, module, node))
    summary["text"] += f" of {high} × {wide} positions"
    return {"node": node, "title": title, **summary, "shares": shares, "open": node in view.opened}


def figure_data(panels: Panels, panel: Panel, module: str, view: View) -> dict[str, Any]:
    """Everything that the component draws of one panel's photo in a module, without the selection."""
    spec = network.spec()
    block = spec.block(module)
    counts = {kind: block.width(kind) + (block.reduce_width(kind) or 0) for kind in BRANCHES}
    columns = columns_for(counts)
    nodes = {}
    for kind in BRANCHES:
        for node in (BRANCH_UNIT[kind], f"{kind}_reduce"):
            if node in NODES:
                nodes[node] = _node_data(panels, panel, module, node, view, columns[kind])
    for node in view.opened:
        nodes[node] = _node_data(panels, panel, module, node, view, WIDE)
    shares = [
        {
            "kind": kind,
            "channels": block.width(kind),
            "text": f"{BRANCH_NAMES[kind]}  {block.width(kind)}",
            "title": f"{BRANCH_NAMES[kind]}: {block.width(kind)} of {block.out_channels} channels",
        }
        for kind in BRANCHES
    ]
    names = spec.module_names
    before = f"from {names[names.index(module) - 1]}" if names.index(module) else "from the stem"
    whole = [{"channels": block.in_channels, "text": f"{before}  {block.in_channels}", "title": before}]
    return {
        "module": module,
        "preview": preview.of_photo(panel),
        "nodes": nodes,
        "tiles": figure_tiles.data_of(module, nodes) if view.tiles else {},
        "branches": [_branch_data(panel, block, kind, columns[kind]) for kind in BRANCHES],
        "output": _wide_data(panel, module, "output", "concatenation", shares, view),
        "input": _wide_data(panel, module, "input", "input", whole, view),
    }


def forget_figure() -> None:
    """To be called in every whole run: the next figure is drawn with the choice of that moment."""
    for key in ("", "beside"):
        session.set_option(options.MODULE_FIGURE.beside(key), None)


def show(panels: Panels, panel: Panel, view: View, chosen: tuple[str, int], key: str = "module-figure") -> None:
    """The figure. A picked cell goes to the state; unfolding a wide node goes to the page's options.

    `chosen`: node and channel to outline. While the figure stays the same the browser moves the outline itself, and
    what is sent stays the same too, so that a pick costs no second transfer of the pictures.
    """
    module, key, kept = selection.module(), panel.widget_key(key), options.MODULE_FIGURE.beside(panel.key)
    compared = [each.photo.key for each in panels]
    stamp = repr((panel.photo.key, compared, network.classifier_key(), module, view))
    drawn = session.option(kept)
    if drawn is None or drawn[0] != stamp:
        drawn = (stamp, chosen)
        session.set_option(kept, drawn)

    def answer(name: str) -> Any:
        return (st.session_state.get(key) or {}).get(name)

    def picked() -> None:
        value = answer("pick") or {}
        node, channel = value.get("node"), value.get("channel")
        if node in NODES and isinstance(channel, int):
            selection.set_node(node, max(0, channel))

    def unfolded() -> None:
        node = answer("open")
        if node in ("input", "output"):
            opened = set(session.option(options.MODULE_OPENED)) ^ {node}
            session.set_option(options.MODULE_OPENED, tuple(sorted(opened)))

    figure = panel.remember(("module-figure", stamp), lambda: figure_data(panels, panel, module, view))
    _FIGURE(
        key=key,
        data={"stamp": stamp, **figure, "chosen": {"node": drawn[1][0], "channel": drawn[1][1]}},
        on_pick_change=picked,
        on_open_change=unfolded,
    )
