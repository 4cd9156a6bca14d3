"""How the average over views forms: the first classes' probability after 1, 2, ... 144 views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.charts.template import Trace, colour, figure, note, plain, rule
from inception_model.drawing.numbers import percent, short
from inception_model.images.crops import COUNTS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 300
_DASHES = ("solid", "dash", "dot")


def running_figure(running: Sequence[Sequence[float]], labels: Sequence[str], views: int) -> Figure:
    """A line per class over the number of views (class x views), the first class strong; a rule at `views`."""
    traces: list[Trace] = []
    for place, (values, label) in enumerate(zip(running, labels, strict=True)):
        traces.append({
            "type": "scatter", "mode": "lines", "name": plain(short(label)), "x": list(range(1, len(values) + 1)),
            "y": list(values), "cliponaxis": False,
            "line": {"color": colour("mut" if place else "ink"), "width": 1.5 if place else 2.5,
                     "dash": _DASHES[place % len(_DASHES)]},
            "hovertemplate": f"{plain(short(label))}, %{{x}} views: <b>%{{y:.1%}}</b><extra></extra>",
        })  # fmt: skip
    total = len(running[0])
    top = max(max(values) for values in running)
    high = min(1.0, 1.15 * top)
    shifts = _apart([values[-1] for values in running], 15 * high / (HEIGHT - 60))
    names = [
        note(
            f"{'<b>' if not place else ''}{plain(short(label))} {percent(values[-1])}{'</b>' if not place else ''}",
            x=total, y=at, xanchor="right", yanchor="bottom", bgcolor=colour("bg"), borderpad=0,
        )
        for place, (values, label, at) in enumerate(zip(running, labels, shifts, strict=True))
    ]  # fmt: skip
    return figure(
        traces, height=HEIGHT, annotations=names, margin={"l": 44, "r": 10, "t": 10, "b": 40},
        shapes=[rule(views, 0, views, 1, yref="paper", name="mut")],
        xaxis={"range": [0, total + 1], "tickvals": list(COUNTS), "title": {"text": "views averaged", "standoff": 4}},
        yaxis={"range": [0, high], "tickformat": ".0%", "nticks": 5, "showgrid": True, "griddash": "dot"},
    )  # fmt: skip


def _apart(values: Sequence[float], least: float) -> list[float]:
    """Heights for names at these values, so that none lies on another: each at least `least` above the one below."""
    found: dict[int, float] = {}
    floor = float("-inf")
    for place in sorted(range(len(values)), key=values.__getitem__):
        found[place] = floor = max(values[place], floor + least)
    return [found[place] for place in range(len(values))]


def running_words(running: Sequence[Sequence[float]], labels: Sequence[str], views: int) -> str:
    """The lines in numbers."""
    counts = sorted({count for count in (*COUNTS, views) if count <= len(running[0])})
    told = "; ".join(
        f"{short(label)} {', '.join(f'{percent(values[count - 1])} after {count}' for count in counts)}"
        for label, values in zip(labels, running, strict=True)
    )
    return f"Running average over the views: {told}"
