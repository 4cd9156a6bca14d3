"""An index's images as points in two dimensions, the photo among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.charts.template import Trace, colour, figure, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 460
MOST = 1500
"""Images drawn of those that no head answers as it answers the photo, evenly spread: the browser draws each point."""
RINGS = {"aux1": 13, "aux2": 9, "main": 6}
"""Diameters of the heads' marks: rings around one another where several heads answer the same."""


@dataclass(frozen=True, eq=False)
class Scatter:
    """What is drawn: `points` (n, 2) of images, `names` (n,) what each shows and is answered, by trained head which of
    them it answers as it answers the photo, the photo's name and place, and the two axes' names."""

    points: np.ndarray
    names: Sequence[str]
    same: Mapping[str, np.ndarray]
    photo: str
    place: tuple[float, float]
    axes: tuple[str, str]


def image_map_figure(found: Scatter) -> Figure:
    """Grey points for images, a head's ring around those that it answers as it answers the photo, a cross for it."""
    alike = np.zeros(len(found.points), dtype=bool)
    for chosen in found.same.values():
        alike |= chosen
    others = np.flatnonzero(~alike)
    if len(others) > MOST:
        others = others[np.arange(MOST) * len(others) // MOST]
    traces = [_points(found, others, "other images", {"size": 4, "color": colour("mut"), "opacity": 0.45})]
    for head, chosen in found.same.items():
        line = {"width": 2, "color": colour("ink" if head == "main" else head)}
        mark = {"size": RINGS[head], "color": line["color"], "line": line, "symbol": "circle-open"}
        traces.append(_points(found, np.flatnonzero(chosen), head, mark))
    x, y = found.place
    traces.append({
        "type": "scatter", "mode": "markers+text", "name": "the photo", "x": [x], "y": [y],
        "text": [f"<b>{plain(found.photo)}</b>"], "textposition": "top center", "cliponaxis": False,
        "hovertemplate": f"{plain(found.photo)}<extra></extra>",
        "marker": {"size": 15, "symbol": "x-thin", "line": {"width": 3, "color": colour("ink")}},
    })  # fmt: skip
    plainly = {"showticklabels": False, "ticks": "", "showgrid": False}
    return figure(
        traces, height=HEIGHT, margin={"l": 24, "r": 8, "t": 70, "b": 24}, showlegend=True,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
        xaxis={**plainly, "title": {"text": found.axes[0]}}, yaxis={**plainly, "title": {"text": found.axes[1]}},
    )  # fmt: skip


def _points(found: Scatter, chosen: np.ndarray, name: str, marker: dict[str, object]) -> Trace:
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": found.points[chosen, 0].tolist(),
        "y": found.points[chosen, 1].tolist(), "text": [plain(found.names[at]) for at in chosen.tolist()],
        "hovertemplate": "%{text}<extra></extra>", "marker": marker,
    }  # fmt: skip


def image_map_words(found: Scatter) -> str:
    """How many images there are, and how many each head answers as it answers the photo."""
    counts = ", ".join(f"{head} {int(chosen.sum())}" for head, chosen in found.same.items())
    return (
        f"Map of {len(found.points):,} images with {found.photo} among them; images that a head answers as it answers "
        f"the photo: {counts or 'none'}"
    )
