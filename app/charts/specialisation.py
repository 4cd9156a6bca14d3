"""What the channels of a module's branches prefer: one dot per channel, and how many prefer which value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.charts.template import Trace, branch_colour, colour, ends, figure, note, rule
from inception_model.analysis.selectivity import Selectivity
from inception_model.architecture.spec import BRANCHES, BranchKind
from inception_model.drawing.numbers import number
from inception_model.drawing.palette import BRANCH_NAMES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROW = 62
"""Pixels from one branch to the next."""

Chosen = tuple[BranchKind, int] | None


@dataclass(frozen=True)
class Preferred:
    """The field of Selectivity with the preferred value, the values that were shown, and their unit.

    `around`: where the values begin again (an orientation is itself after 180 degrees).
    """

    name: str
    shown: Sequence[float]
    unit: str
    around: float | None = None


def preferences_figure(
    summary: Mapping[BranchKind, Selectivity], index: str, preferred: Preferred | None, chosen: Chosen = None
) -> Figure:
    """A row per branch: every channel's `index` (a field of Selectivity, 0 to 1) as a dot, the median as a line, a ring
    at the chosen channel, and on the right, in bars, how many channels prefer which of the shown values.

    The dots are traces named after the branches; their customdata is [branch, channel]. Bars: `3×3 prefers`.
    """
    width = 0.72 if preferred else 1.0
    traces: list[Trace] = []
    notes, shapes = [], []
    for row, (kind, found) in enumerate(summary.items()):
        values = np.asarray(getattr(found, index), np.float64)
        known = np.flatnonzero(~np.isnan(values))
        name = BRANCH_NAMES[kind]
        if not len(known):
            notes.append(note("silent", x=0.5, y=row, font={"color": colour("mut")}))
            continue
        ring = chosen[1] if chosen and chosen[0] == kind else -1
        traces.append(_dots(kind, values, known, row, ring))
        middle, best = float(np.median(values[known])), int(np.nanargmax(values))
        shapes.append(rule(middle, row - 0.36, middle, row + 0.30, dash="solid", name="ink") | {"layer": "above"})
        notes.append(
            note(f"median {number(middle)} · strongest {best} ({number(float(values[best]))})", x=0, y=row + 0.30,
                 xanchor="left", yanchor="top", font={"size": 12, "color": colour("mut")})
        )  # fmt: skip
        if preferred:
            traces.append(_bars(kind, found, preferred, row, name))
    names = [BRANCH_NAMES[kind] for kind in summary]
    right = ends(-0.6, len(preferred.shown) - 0.4, {}, domain=[width + 0.04, 1], anchor="y") if preferred else {}
    return figure(
        traces, height=ROW * len(summary) + 26, annotations=notes, shapes=shapes, barmode="overlay",
        margin={"l": 42, "r": 6, "t": 2, "b": 20}, clickmode="event+select", **({"xaxis2": right} if preferred else {}),
        xaxis=ends(-0.01, 1.01, {0.0: "0", 0.5: "0.5", 1.0: "1"}, domain=[0, width], fixedrange=True),
        yaxis={"range": [len(names) - 0.4, -0.5], "tickvals": list(range(len(names))), "fixedrange": True,
               "ticktext": [f"<b>{name}</b>" for name in names], "tickfont": {"color": colour("ink"), "size": 13}},
    )  # fmt: skip


def _dots(kind: BranchKind, values: np.ndarray, known: np.ndarray, row: int, ring: int) -> Trace:
    """A branch's dots; their height in the row only keeps dots of like value apart."""
    return {
        "type": "scatter", "mode": "markers", "name": BRANCH_NAMES[kind], "x": values[known].tolist(),
        "y": [row - 0.34 + 0.6 * height(int(c)) for c in known], "customdata": [[kind, int(c)] for c in known],
        "hovertemplate": "channel %{customdata[1]}: <b>%{x:.2f}</b><extra></extra>",
        "marker": {"color": branch_colour(kind), "opacity": 0.75, "cauto": False,
                   "size": [11 if c == ring else 6 for c in known],
                   "line": {"color": colour("ink"), "width": [2 if c == ring else 0 for c in known]}},
        "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 0.75}}, "cliponaxis": False,
    }  # fmt: skip


def _bars(kind: BranchKind, found: Selectivity, preferred: Preferred, row: int, name: str) -> Trace:
    counts = count_nearest(getattr(found, preferred.name), np.asarray(preferred.shown, float), preferred.around)
    tall = max(int(counts.max()), 1)
    return {
        "type": "bar", "name": f"{name} prefers", "xaxis": "x2", "yaxis": "y", "x": list(range(len(counts))),
        "base": [row + 0.28] * len(counts), "y": [-0.6 * int(count) / tall for count in counts], "width": 0.8,
        "customdata": [[f"{value:g}{preferred.unit}", int(count)]
                       for value, count in zip(preferred.shown, counts, strict=True)],
        "hovertemplate": "%{customdata[0]}: <b>%{customdata[1]}</b> channels<extra></extra>",
        "marker": {"color": branch_colour(kind), "line": {"width": 0}},
    }  # fmt: skip


def preferences_words(
    summary: Mapping[BranchKind, Selectivity], title: str, index: str, preferred: Preferred | None
) -> str:
    """Medians and counts of every branch in words."""
    said = []
    for kind in (kind for kind in BRANCHES if kind in summary):
        values = np.asarray(getattr(summary[kind], index), np.float64)
        known = values[~np.isnan(values)]
        if not len(known):
            said.append(f"{BRANCH_NAMES[kind]} silent")
            continue
        text = f"{BRANCH_NAMES[kind]}: median {number(float(np.median(known)))} of {len(known)} channels"
        if preferred:
            shown = np.asarray(preferred.shown, float)
            counts = count_nearest(getattr(summary[kind], preferred.name), shown, preferred.around)
            text += ", " + ", ".join(f"{c} at {v:g}{preferred.unit}" for v, c in zip(shown, counts, strict=True))
        said.append(text)
    return f"{title}: {'; '.join(said)}"


def height(channel: int) -> float:
    """Where a channel's dot stands in its row, 0 to 1, so that dots of like value do not hide each other."""
    return (channel * 0.618034) % 1


def count_nearest(values: np.ndarray, shown: np.ndarray, around: float | None) -> np.ndarray:
    """Values (C,) -> how many lie nearest to each of `shown`; `around`: where the values begin again."""
    known = values[~np.isnan(values)]
    apart = np.abs(known[:, None] - shown[None])
    if around is not None:
        apart = np.minimum(apart, around - apart)
    return np.bincount(apart.argmin(axis=1), minlength=len(shown))
