"""Costs as bars to scale: solid is what runs, in the branches' colours; hatched the rest up to the naive twin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.charts.template import CLEAR, Trace, branch_colour, colour, figure, note, plain, rule
from inception_model.architecture.spec import BRANCHES, BranchKind
from inception_model.drawing.palette import BRANCH_NAMES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROW = 27
"""Pixels from one bar to the next."""
_LETTER = 6.7
"""Pixels of a letter of the numbers beside the bars, at most."""


@dataclass(frozen=True)
class Piece:
    """A layer's part of a bar: its branch, whether it is the reduction in front of one, its name and its value."""

    branch: BranchKind | None
    reduction: bool
    name: str
    value: float


@dataclass(frozen=True)
class Bar:
    """A row: its name, its pieces from left to right, what the naive twin takes, and the numbers beside it."""

    name: str
    pieces: Sequence[Piece]
    naive: float
    words: str

    @property
    def value(self) -> float:
        """All pieces together."""
        return math.fsum(piece.value for piece in self.pieces)


@dataclass(frozen=True)
class Panel:
    """Bars on one scale of their own, a title above them, and a named line across all of them."""

    bars: Sequence[Bar]
    title: str = ""
    mark: tuple[float, str] | None = None

    @property
    def scale(self) -> float:
        """Where the axis ends: the longest bar."""
        return max(max(bar.value, bar.naive) for bar in self.bars) or 1.0


@dataclass
class _Rows:
    """The traces of a panel while they are put together: group -> columns of a plotly bar trace."""

    groups: dict[tuple[int, BranchKind | None, bool], dict[str, list[Any]]] = field(default_factory=dict)

    def add(self, row: int, piece: Piece, after: int) -> None:
        """A piece of a row; `after`: 0 before the branches, 1 to 4 a branch, 5 behind them."""
        columns = self.groups.setdefault((after, piece.branch, piece.reduction), {"y": [], "x": [], "customdata": []})
        columns["y"].append(row)
        columns["x"].append(piece.value)
        columns["customdata"].append(piece.name)


def bars_figure(panels: Sequence[Panel], unit: str, digits: str = ",") -> Figure:
    """The panels one below the other, each on its own scale. `digits`: how exact values are written (d3 format).

    Of each panel the traces are: one per branch and reduction (named `3×3 reduce`, `3×3`, ...; grey ones `stem` and
    `classifier`), then `saved`, hatched, then `naive`, a mark where the naive twin would be the cheaper one.
    """
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    notes, shapes = [], []
    heights = [_height(panel) for panel in panels]
    total, top = sum(heights), 0.0
    right = 10 + _LETTER * max(len(bar.words) for panel in panels for bar in panel.bars)
    for index, (panel, height) in enumerate(zip(panels, heights, strict=True)):
        at = str(index + 1) if index else ""
        where = {"xaxis": f"x{at}", "yaxis": f"y{at}"}
        traces += _traces(panel, unit, digits, where)
        lines = len(panel.bars)
        bottom = 22 * (panel.mark is not None)
        domain = [1 - (top + height - bottom) / total, 1 - (top + 24 * bool(panel.title)) / total]
        axes[f"xaxis{at}"] = {"range": [0, panel.scale * 1.004], "showticklabels": False, "anchor": f"y{at}"}
        axes[f"yaxis{at}"] = {
            "domain": [max(domain[0], 0.0), domain[1]], "range": [lines - 0.5, -0.5], "anchor": f"x{at}",
            "tickvals": list(range(lines)), "ticktext": [f"<b>{plain(bar.name)}</b>" for bar in panel.bars],
            "tickfont": {"size": 13, "color": colour("ink")}, "fixedrange": True, "ticklabelstandoff": 4,
        }  # fmt: skip
        notes += [
            note(plain(bar.words), x=1, xref="paper", xanchor="left", xshift=8, y=row, yref=f"y{at}", yanchor="middle")
            for row, bar in enumerate(panel.bars)
        ]
        if panel.title:
            notes.append(
                note(plain(panel.title), x=0, xref="paper", xanchor="left", y=domain[1], yref="paper",
                     yanchor="bottom", font={"color": colour("mut")})
            )  # fmt: skip
        if panel.mark is not None:
            place, name = panel.mark
            shapes.append(rule(place, -0.5, place, lines - 0.5, dash="solid", name="ink", xref=f"x{at}", yref=f"y{at}"))
            shapes[-1] |= {"layer": "above"}
            notes.append(
                note(plain(name), x=place, xref=f"x{at}", y=lines - 0.5, yref=f"y{at}", yanchor="top",
                     font={"color": colour("mut")})
            )  # fmt: skip
        top += height
    widest = max(len(bar.name) for panel in panels for bar in panel.bars)
    return figure(
        traces, height=bars_height(panels), barmode="stack", bargap=0.24, annotations=notes, shapes=shapes,
        margin={"l": 18 + 8 * widest, "r": round(right), "t": 2, "b": 2}, **axes,
    )  # fmt: skip


def bars_height(panels: Sequence[Panel]) -> int:
    """How many pixels high `bars_figure` draws these panels."""
    return round(sum(map(_height, panels))) + 4


def _height(panel: Panel) -> float:
    return ROW * len(panel.bars) + 24 * bool(panel.title) + 22 * (panel.mark is not None)


def _traces(panel: Panel, unit: str, digits: str, where: dict[str, str]) -> list[Trace]:
    rows = _Rows()
    for row, bar in enumerate(panel.bars):
        seen = 0
        for piece in bar.pieces:
            seen = BRANCHES.index(piece.branch) + 1 if piece.branch else (len(BRANCHES) + 1 if seen else 0)
            rows.add(row, piece, seen)
    order = sorted(rows.groups, key=lambda group: (group[0], not group[2]))
    traces: list[Trace] = [
        {
            "type": "bar", "orientation": "h", "name": _name(group), **rows.groups[group], **where,
            "marker": {"color": branch_colour(group[1]), "opacity": 0.45 if group[2] else 1, "line": {"width": 0}},
            "hovertemplate": f"%{{customdata}}: <b>%{{x:{digits}}}</b> {unit}<extra></extra>",
        }
        for group in order
    ]  # fmt: skip
    saved = [(row, bar.naive - bar.value, bar) for row, bar in enumerate(panel.bars) if bar.naive > bar.value]
    traces.append({
        "type": "bar", "orientation": "h", "name": "saved", **where, "y": [row for row, _, _ in saved],
        "x": [rest for _, rest, _ in saved], "customdata": [[plain(bar.name), bar.naive] for _, _, bar in saved],
        "hovertemplate": f"%{{customdata[0]}}: <b>%{{x:{digits}}}</b> saved of %{{customdata[1]:{digits}}} {unit}"
                         "<extra></extra>",
        "marker": {"color": CLEAR, "line": {"width": 0},
                   "pattern": {"shape": "/", "size": 6, "solidity": 0.18, "fgcolor": colour("mut"), "bgcolor": CLEAR}},
    })  # fmt: skip
    over = [(row, bar) for row, bar in enumerate(panel.bars) if bar.naive < bar.value]
    if over:
        traces.append({
            "type": "scatter", "mode": "markers", "name": "naive", **where, "y": [row for row, _ in over],
            "x": [bar.naive for _, bar in over], "customdata": [plain(bar.name) for _, bar in over],
            "hovertemplate": f"%{{customdata}}, naive: <b>%{{x:{digits}}}</b> {unit}<extra></extra>",
            "marker": {"symbol": "line-ns", "size": 24, "line": {"width": 2, "color": colour("ink")}},
        })  # fmt: skip
    return traces


def _name(group: tuple[int, BranchKind | None, bool]) -> str:
    after, branch, reduction = group
    if branch is None:
        return "classifier" if after else "stem"
    return f"{BRANCH_NAMES[branch]}{' reduce' if reduction else ''}"


def bars_words(panels: Sequence[Panel], unit: str) -> str:
    """Every bar with its numbers, for those who don't see them."""
    said = []
    for panel in panels:
        title = f"{panel.title}: " if panel.title else ""
        mark = f"; {panel.mark[1]}" if panel.mark else ""
        said.append(title + "; ".join(f"{bar.name} {bar.words}" for bar in panel.bars) + mark)
    return f"{'. '.join(said)} ({unit})"
