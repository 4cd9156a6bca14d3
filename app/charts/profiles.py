"""What a module's branches see at one position of the photo: a bar per channel, branch by branch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from app.charts.template import Trace, branch_colour, colour, figure, note
from inception_model.architecture.spec import BranchKind
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import BRANCH_NAMES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Profiles = Mapping[BranchKind, np.ndarray]
"""Branch -> the values of its channels (C,) at one position, none below zero."""

ROW = 84
"""Pixels from one branch to the next; its title takes TITLE of them, the space below it GAP."""
TITLE = 20
GAP = 8


def profiles_height(profiles: Profiles) -> int:
    """How many pixels high `profiles_figure` draws these branches."""
    return ROW * len(profiles)


def profiles_figure(profiles: Profiles, top: float) -> Figure:
    """A row per branch in the order of the concatenation, every row on the scale 0 to `top`; channel by channel a bar.

    The traces are named after the branches and hold all channels, also the silent ones.
    """
    height = profiles_height(profiles)
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    notes = []
    for row, (kind, values) in enumerate(profiles.items()):
        at, name = str(row + 1) if row else "", BRANCH_NAMES[kind]
        traces.append({
            "type": "bar", "name": name, "x": list(range(len(values))), "y": values.tolist(),
            "xaxis": f"x{at}", "yaxis": f"y{at}", "customdata": [number(float(value)) for value in values],
            "hovertemplate": f"{name}, channel %{{x}}: <b>%{{customdata}}</b><extra></extra>",
            "marker": {"color": branch_colour(kind), "line": {"width": 0}},
        })  # fmt: skip
        axes[f"xaxis{at}"] = {
            "range": [-0.5, len(values) - 0.5], "anchor": f"y{at}", "showticklabels": False, "showline": True,
            "linecolor": colour("mut"),
        }  # fmt: skip
        axes[f"yaxis{at}"] = {
            "range": [0, top or 1.0], "anchor": f"x{at}", "showticklabels": False, "fixedrange": True,
            "domain": [1 - ((row + 1) * ROW - GAP) / height, 1 - (row * ROW + TITLE) / height],
        }  # fmt: skip
        notes.append(
            note(f"<b>{name}</b> {_active(values)} of {len(values)} active · strongest {_strongest(values)}",
                 x=0, xref="paper", xanchor="left", y=1, yref=f"y{at} domain", yanchor="bottom", font={"size": 12})
        )  # fmt: skip
    return figure(
        traces, height=height, bargap=0.2, hovermode="x", annotations=notes, margin={"l": 2, "r": 2, "t": 0, "b": 0},
        **axes,
    )  # fmt: skip


def profiles_words(profiles: Profiles) -> str:
    """How many channels of each branch answer, and which most."""
    return "; ".join(
        f"{BRANCH_NAMES[kind]}: {_active(values)} of {len(values)} channels active here, strongest {_strongest(values)}"
        for kind, values in profiles.items()
    )


def _active(values: np.ndarray) -> int:
    return int((values > 0).sum())


def _strongest(values: np.ndarray) -> str:
    """The three strongest channels above zero with their values."""
    found = [i for i in np.argsort(-values, kind="stable")[:3] if values[i] > 0]
    return ", ".join(f"{i} ({number(float(values[i]))})" for i in found) or "silent here"
