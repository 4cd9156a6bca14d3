"""The place in the network that pages look at: module, branch, node and channel, and the module of the page Cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import streamlit as st

from app.state import network, session
from inception_model.architecture.address import UnitAddress
from inception_model.architecture.spec import BRANCH_UNIT, DEFAULT_MODULE, BranchKind
from inception_model.cost.layers import node_widths
from inception_model.drawing.palette import node_name
from inception_model.inference.trace import NODES

_MODULE, _BRANCH = DEFAULT_MODULE, "5x5"
"""Where a session begins."""

COST_MODULE, LAB_PART = "cost_module", "lab_part"
"""Widget keys of the page Cost: the module that is shown, and the module (or stem) whose sliders are."""


@dataclass(frozen=True)
class Unit:
    """A channel of a node and the position on its map that is looked at: row, column."""

    module: str
    node: str
    channel: int
    row: int
    column: int

    @property
    def title(self) -> str:
        """`4d · 5×5 · channel 17`."""
        return f"{self.module} · {node_name(self.node)} · channel {self.channel}"


def module() -> str:
    """The Inception module that pages show, `4d` at first."""
    names = network.spec().module_names
    chosen = _kept_module()
    return chosen if chosen in names else names[len(names) // 2]


def _kept_module() -> str:
    return cast(str, session.get("module", _MODULE))


def set_module(name: str, kind: BranchKind | None = None) -> None:
    """Goes to a module, and to one of its branches if given; the channel is open again."""
    if name != _kept_module() or (kind is not None and kind != branch()):
        session.put("channel", None)
    session.put("module", name)
    if kind is not None:
        session.put("branch", kind)
        session.put("node", None)


def branch() -> BranchKind:
    """One of the four branches, `5x5` at first."""
    return cast(BranchKind, session.get("branch", _BRANCH))


def node() -> str:
    """One of `trace.NODES` in the selected module: the selected branch's output unless another node was picked."""
    return cast(str, session.get("node", None) or BRANCH_UNIT[branch()])


def set_node(name: str, channel: int | None = None) -> None:
    """Goes to a node of the selected module and to one of its channels; a branch's output selects that branch too."""
    if name not in NODES:
        raise ValueError(f"unknown node {name!r}; allowed: {', '.join(NODES)}")
    kind = next((kind for kind, unit in BRANCH_UNIT.items() if unit == name), None)
    if kind is not None:
        session.put("branch", kind)
    session.put("module", module())
    session.put("node", None if kind else name)
    session.put("channel", channel)


def has_unit(unit: UnitAddress) -> bool:
    """Whether the page Module shows that channel: of a module, or of conv2 as the first module's input."""
    return unit.module is not None or unit.conv == "conv2"


def set_unit(unit: UnitAddress) -> None:
    """Goes to a channel of a module, or to conv2's as the first module's input; others have no place on a page."""
    if not has_unit(unit):
        raise ValueError(f"{unit} lies before the modules: there is no page for it")
    set_module(unit.module or network.spec().module_names[0])
    set_node(unit.conv if unit.module else "input", unit.channel)


def channel(default: int = 0) -> int:
    """A channel of the selected node, always one that exists there; `default` where none was picked yet."""
    chosen = session.get("channel", None)
    width = node_widths(network.spec().block(module()))[node()]
    return min(default if chosen is None else int(chosen), width - 1)


def cost_module() -> str:
    """The module that the page Cost shows: the one chosen there, else the one that all pages show."""
    return cast(str, st.session_state.get(COST_MODULE) or module())


def set_cost_module(name: str) -> None:
    """From a callback: the page Cost and its lab show this module."""
    st.session_state[COST_MODULE] = st.session_state[LAB_PART] = name
