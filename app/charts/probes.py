"""What the linear probes get right on validation images, over the depth of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.charts.template import Trace, colour, figure, note, plain
from inception_model.analysis.timeline import ProbeStep

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 230


def accuracy_figure(probes: Sequence[ProbeStep]) -> Figure:
    """Two lines over the modules, top-1 and top-5, hollow dots as everywhere for probes; the vertical axis is a share
    of the validation images, from none to all."""
    modules = [plain(step.module) for step in probes]
    traces: list[Trace] = []
    for name, dash in (("top-1", "solid"), ("top-5", "dash")):
        values = [getattr(step.accuracy, name.replace("-", "")) for step in probes]
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": name, "x": modules, "y": values, "cliponaxis": False,
            "hovertemplate": f"probe at %{{x}}: <b>%{{y:.1%}}</b> {name}<extra></extra>",
            "line": {"color": colour("mut"), "width": 1.5, "dash": dash},
            "marker": {"size": 8, "color": colour("bg"), "line": {"width": 1.5, "color": colour("mut")}},
        })  # fmt: skip
    last = probes[-1]
    names = [
        note(f"<b>{name}</b> {value:.1%}", x=len(probes) - 1, y=value, xanchor="right", yanchor="bottom", yshift=7)
        for name, value in (("top-1", last.accuracy.top1), ("top-5", last.accuracy.top5))
    ]
    return figure(
        traces, height=HEIGHT, annotations=names, margin={"l": 40, "r": 8, "t": 12, "b": 26},
        xaxis={"type": "category", "range": [-0.4, len(probes) - 0.6]},
        yaxis={"range": [0, 1], "tickvals": [0, 0.25, 0.5, 0.75, 1], "tickformat": ".0%", "showgrid": True,
               "griddash": "dot"},
    )  # fmt: skip


def accuracy_words(probes: Sequence[ProbeStep]) -> str:
    """The two lines in numbers."""
    return "Accuracy of the probes, top-1 and top-5: " + ", ".join(
        f"{step.module} {step.accuracy.top1:.1%} and {step.accuracy.top5:.1%}" for step in probes
    )
