"""How far every branch of one photo carries another towards it: modules down, branches across."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.charts.template import Trace, colour, figure
from inception_model.analysis.patching import PatchEffects
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.colormaps import STEPS, TABLES
from inception_model.drawing.palette import BRANCH_NAMES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def patching_figure(effects: PatchEffects) -> Figure:
    """A cell per branch, red where it carries the score towards the first photo's, blue where away from it, with its
    share of the way in percent; the colours end at the largest size."""
    table = effects.effects.tolist()
    end = max((abs(value) for row in table for value in row), default=0.0) or 1.0
    trace: Trace = {
        "type": "heatmap", "z": table, "x": [BRANCH_NAMES[kind] for kind in BRANCHES], "y": list(effects.modules),
        "zmin": -end, "zmax": end, "colorscale": _signed_scale(), "showscale": False, "xgap": 2, "ygap": 2,
        "text": [[_share(value) for value in row] for row in table], "texttemplate": "%{text}",
        "hovertemplate": "%{y} %{x}: <b>%{text}</b> of the way<extra></extra>",
    }  # fmt: skip
    return figure(
        [trace], height=30 * len(table) + 40, margin={"l": 36, "r": 6, "t": 28, "b": 6},
        xaxis={"side": "top", "tickfont": {"color": colour("ink")}, "fixedrange": True},
        yaxis={"autorange": "reversed", "type": "category", "tickfont": {"color": colour("ink")}, "fixedrange": True},
    )  # fmt: skip


def patching_words(effects: PatchEffects) -> str:
    """Every row with its four numbers."""
    return "How far each branch carries the second photo towards the first: " + "; ".join(
        f"{name} " + ", ".join(f"{kind} {_share(value)}" for kind, value in zip(BRANCHES, row, strict=True))
        for name, row in zip(effects.modules, effects.effects.tolist(), strict=True)
    )


def _share(value: float) -> str:
    return f"{value:+.0%}".replace("-", "−")


def _signed_scale() -> list[list[object]]:
    """The house's blue-white-red in plotly's form: place from 0 to 1, and colour."""
    table = TABLES["signed"]
    picks = [round(place * (STEPS - 1) / 16) for place in range(17)]
    return [[pick / (STEPS - 1), f"rgb({', '.join(map(str, table[pick].tolist()))})"] for pick in picks]
