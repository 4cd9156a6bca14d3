"""Where the number at the cross comes from: its computation with real values, step by step."""

from __future__ import annotations

import streamlit as st

from app.jobs.channels import computation_of
from app.state import network, options, session
from app.state.panel import Panel
from app.state.selection import Unit
from app.static import script, style
from app.templates import render
from app.views.module.computation_steps import Step, steps_of
from app.widgets.persistent_choice import persistent_choice
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import node_name

ASK = "Where does this number come from?"
_STEPS = st.components.v2.component(
    "scope_computation",
    html=render("module_computation.html"),
    css=style("computation"),
    js=script("computation"),
)


def switch() -> None:
    """Whether the computation is shown, of both photos."""
    persistent_choice(st.toggle, ASK, options.MODULE_COMPUTATION)


def show(panel: Panel, unit: Unit) -> None:
    """The steps for the number at the cross, once they are asked for."""
    if not session.option(options.MODULE_COMPUTATION):
        return
    found = computation_of(panel, unit)
    if found is None:
        st.caption("This number comes from the stem or from a pool between modules: pick a channel of a branch.")
        return
    steps = steps_of(network.spec(), found)
    last = found.last
    name = f"{found.module} {node_name(last.node)} {last.channel}, row {last.row}, column {last.column}"
    branch = last.node.partition("_")[0]
    html = render("module_computation_steps.html", steps=steps, title=name, branch=branch, result=number(found.shown))
    _STEPS(key=panel.widget_key("computation"), data={"html": html, "grids": grids(steps)})


def grids(steps: list[Step]) -> list[dict[str, object]]:
    """What the browser tells under the mouse and on keys, one for each step that has a grid."""
    told = ("names", "places", "side", "across", "gap", "columns", "rows", "values", "weights")
    return [{name: getattr(step.grid, name) for name in told} for step in steps if step.grid is not None]
