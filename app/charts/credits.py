"""Signed shares of a score about zero: the credit ledger's rows, and what every branch's absence does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.charts.template import Trace, branch_colour, colour, figure, note, plain, rule
from inception_model.analysis.conductance import CreditLedger
from inception_model.architecture.spec import BRANCHES
from inception_model.drawing.numbers import signed
from inception_model.drawing.palette import BRANCH_NAMES

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def ledger_figure(ledger: CreditLedger) -> Figure:
    """A row per module: gains of its four branches to the right of zero, losses to the left; dashed: what every row
    should add up to. One trace per branch."""
    table = ledger.table.tolist()
    rows = list(range(len(ledger.modules)))
    traces: list[Trace] = [
        {
            "type": "bar", "orientation": "h", "name": BRANCH_NAMES[kind], "y": rows,
            "x": [row[place] for row in table],
            "customdata": [[name, f"{signed(row[place], 3)} logits"]
                           for name, row in zip(ledger.modules, table, strict=True)],
            "hovertemplate": f"%{{customdata[0]}} {BRANCH_NAMES[kind]}: <b>%{{customdata[1]}}</b><extra></extra>",
            "marker": {"color": branch_colour(kind), "line": {"width": 0}},
        }
        for place, kind in enumerate(BRANCHES)
    ]  # fmt: skip
    total, last = ledger.total, len(rows) - 0.5
    return figure(
        traces, height=26 * len(rows) + 44, barmode="relative", bargap=0.3,
        shapes=[rule(0, -0.5, 0, last, dash="solid", name="mut"),
                rule(total, -0.5, total, last, dash="dash", name="ink") | {"layer": "above"}],
        annotations=[note(f"credit in logits, dashed: {signed(total)}", x=0, xref="paper", xanchor="left", y=1,
                          yref="paper", yanchor="bottom", font={"color": colour("mut"), "size": 13})],
        margin={"l": 32, "r": 6, "t": 24, "b": 20},
        xaxis={"automargin": False},
        yaxis=_modules(ledger.modules),
    )  # fmt: skip


def ledger_words(ledger: CreditLedger) -> str:
    """Every row with its four numbers."""
    return "Credit of every branch in logits: " + "; ".join(
        f"{name} " + ", ".join(f"{kind} {signed(v)}" for kind, v in zip(BRANCHES, row, strict=True))
        for name, row in zip(ledger.modules, ledger.table.tolist(), strict=True)
    )


def sweep_figure(
    modules: Sequence[str], changes: Sequence[Sequence[float]], seen: Sequence[str], ends: tuple[float, float]
) -> Figure:
    """One head: per module four bars, the change of the score when that branch is off (`changes`, (M, 4) in logits).

    `seen`: the modules that the head can see; the others are named as lying behind it. `ends`: the scale, shared with
    the other heads. One trace per branch.
    """
    shown = [(row, name, values) for row, (name, values) in enumerate(zip(modules, changes, strict=True))
             if name in seen]  # fmt: skip
    traces: list[Trace] = [
        {
            "type": "bar", "orientation": "h", "name": BRANCH_NAMES[kind], "y": [row for row, _, _ in shown],
            "x": [values[place] for _, _, values in shown],
            "customdata": [[name, f"{signed(values[place], 3)} logits"] for _, name, values in shown],
            "hovertemplate": f"%{{customdata[0]}} {BRANCH_NAMES[kind]} off: <b>%{{customdata[1]}}</b><extra></extra>",
            "marker": {"color": branch_colour(kind), "line": {"width": 0}},
        }
        for place, kind in enumerate(BRANCHES)
    ]  # fmt: skip
    low, high = ends
    room = 0.02 * ((high - low) or 1.0)
    behind = [
        note("lies behind this head", x=low, y=row, xanchor="left", font={"color": colour("mut")})
        for row, name in enumerate(modules)
        if name not in seen
    ]
    return figure(
        traces, height=34 * len(modules) + 26, barmode="group", bargap=0.22, annotations=behind,
        shapes=[rule(0, -0.5, 0, len(modules) - 0.5, dash="solid", name="mut")],
        margin={"l": 32, "r": 6, "t": 2, "b": 20},
        xaxis={"range": [low - room, high + room], "nticks": 5},
        yaxis=_modules(modules),
    )  # fmt: skip


def sweep_words(head: str, modules: Sequence[str], changes: Sequence[Sequence[float]], seen: Sequence[str]) -> str:
    """One head's changes in words."""
    return f"{head}, change of the score without a branch, in logits: " + "; ".join(
        f"{name} " + ", ".join(f"{kind} {signed(v)}" for kind, v in zip(BRANCHES, row, strict=True))
        if name in seen
        else f"{name} lies behind this head"
        for name, row in zip(modules, changes, strict=True)
    )


def _modules(modules: Sequence[str]) -> dict[str, object]:
    return {
        "range": [len(modules) - 0.5, -0.5], "tickvals": list(range(len(modules))), "fixedrange": True,
        "ticktext": [f"<b>{plain(name)}</b>" for name in modules], "tickfont": {"color": colour("ink"), "size": 13},
    }  # fmt: skip
