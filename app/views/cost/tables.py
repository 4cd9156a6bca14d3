"""The cost page's bars, as data for app/charts/costs.py, and its tables as HTML, from a ComputeReport.

Solid is what runs: a branch's reduction in its tint, then its convolution in full colour. Hatched is the rest up to
the naive twin. Quantities are MACs or parameters (with biases) on one image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup

from app.charts.costs import Bar, Panel, Piece
from app.templates import render
from inception_model.architecture.spec import BRANCHES, BranchKind
from inception_model.cost.layers import Layer
from inception_model.cost.paper_figures import BUDGET_MACS, DISAGREEMENTS
from inception_model.cost.report import ComputeReport, Cost, Row
from inception_model.cost.timing import ModuleTiming
from inception_model.drawing.numbers import amount
from inception_model.drawing.palette import BRANCH_NAMES

Quantity = Literal["macs", "params"]
UNIT_OF: dict[Quantity, str] = {"macs": "MACs", "params": "parameters"}
DEFAULT_QUANTITY: Quantity = "macs"


@dataclass(frozen=True)
class Line:
    """A row of a table: its name, behind a swatch of its branch (a tint for a reduction), and its cells."""

    name: str
    cells: Iterable[str]
    branch: BranchKind | None = None
    reduction: bool = False
    total: bool = False


def of(cost: Cost, quantity: Quantity) -> int:
    """The quantity that is drawn."""
    return cost.macs if quantity == "macs" else cost.params


def times(more: float, less: float) -> str:
    """How many times more, in words of three characters."""
    return f"{more / less:.1f}×"


def saved(cost: Cost, naive: Cost, quantity: Quantity) -> str:
    """Both figures and their ratio: 119 M of 438 M · 3.7×."""
    value, more = of(cost, quantity), of(naive, quantity)
    return f"{amount(value)} of {amount(more)} · {times(more, value)}" if more else f"{amount(value)}, naive: none"


def legend_html() -> Markup:
    """What the colours mean, with the style of everything that the page shows as a table."""
    return render("cost_legend.html")


def modules_panel(report: ComputeReport, quantity: Quantity) -> Panel:
    """Every module as a bar, all on one scale."""
    return Panel([row_bar(report, row, quantity, row.name) for row in report.modules])


def row_bar(report: ComputeReport, row: Row, quantity: Quantity, name: str) -> Bar:
    """A row of Table 1 as a bar: its layers, and what its naive twin takes."""
    layers = [layer for layer in report.layers if layer.row == row.name]
    return Bar(name, _pieces(layers, quantity), of(row.naive, quantity), saved(row.cost, row.naive, quantity))


def _pieces(layers: Iterable[Layer], quantity: Quantity) -> list[Piece]:
    return [
        Piece(
            layer.branch,
            layer.name.endswith("_reduce"),
            f"{layer.row} {typeset(layer.name.replace('_', ' '))}",
            of(Cost.of([layer]), quantity),
        )
        for layer in layers
    ]


def branches_panel(report: ComputeReport, module: str, quantity: Quantity) -> Panel:
    """The four branches of a module as bars on one scale."""
    bars = []
    for branch in report.of_module(module):
        layers = [layer for layer in report.module_layers(module) if layer.branch == branch.branch]
        words = saved(branch.cost, branch.naive, quantity)
        bars.append(Bar(BRANCH_NAMES[branch.branch], _pieces(layers, quantity), of(branch.naive, quantity), words))
    return Panel(bars)


def network_panel(reports: Mapping[str, ComputeReport], quantity: Quantity, title: str = "") -> Panel:
    """Whole networks by name, each as one bar: stem and classifier in grey, the branches of all modules in their
    colours. With MACs, the paper's budget of 1.5 billion multiply-adds is a line through the bars."""
    bars = [
        Bar(
            name,
            _pieces(sorted(report.layers, key=_place), quantity),
            of(report.total_naive, quantity),
            saved(report.total, report.total_naive, quantity),
        )
        for name, report in reports.items()
    ]
    panel = Panel(bars, title)
    inside = quantity == "macs" and panel.scale >= BUDGET_MACS
    return replace(panel, mark=(float(BUDGET_MACS), "budget 1.5 G")) if inside else panel


def _place(layer: Layer) -> tuple[int, bool]:
    """Where a layer lies in the network's bar: stem, the four branches (reductions first), classifier."""
    if layer.branch is None:
        return (len(BRANCHES) + 1 if layer.row == "linear" else 0), False
    return BRANCHES.index(layer.branch) + 1, not layer.name.endswith("_reduce")


def timings_panel(timings: Iterable[ModuleTiming], report: ComputeReport) -> Panel:
    """Measured milliseconds of every module, hatched the rest up to its naive twin's, and the ratio of MACs."""
    bars = []
    for timing in timings:
        fast, slow, row = timing.reduced_seconds * 1e3, timing.naive_seconds * 1e3, report.row(timing.module)
        words = f"{fast:.2f} of {slow:.2f} ms · {timing.ratio:.1f}× ({times(row.naive.macs, row.cost.macs)})"
        bars.append(Bar(timing.module, [Piece(None, False, timing.module, fast)], slow, words))
    return Panel(bars)


def table_html(header: Iterable[str], rows: Iterable[Line], label: str = "") -> Markup:
    """A table that scrolls sideways inside its own box."""
    return render("cost_rows.html", header=header, rows=rows, label=label)


def layers_table_html(report: ComputeReport, module: str) -> Markup:
    """The six convolutions of a module with exact numbers, and the module's sum."""
    rows = []
    for layer in report.module_layers(module):
        name, shape = layer.name.replace("_", " ").replace("x", "×"), f"{layer.in_channels} → {layer.out_channels}"
        cells = [f"{layer.kernel}×{layer.kernel}", shape, f"{layer.weights:,}", f"{layer.macs:,}"]
        rows.append(Line(name, cells, layer.branch, layer.name.endswith("_reduce")))
    row = report.row(module)
    for name, cost in ((module, row.cost), ("naive", row.naive)):
        rows.append(Line(name, ["", "", f"{cost.weights:,}", f"{cost.macs:,}"], total=True))
    return table_html(["convolution", "kernel", "channels", "weights", "MACs"], rows, f"Convolutions of {module}")


def signed_percent(new: float, old: float) -> str:
    """How far `new` lies from `old`: +5.7%, −71.3%, 0.0%."""
    text = f"{(new - old) / old:+.1%}".replace("-", "−")
    return text[1:] if text[1:] == "0.0%" else text


def typeset(text: str) -> str:
    """3x3 as 3×3, as the paper prints it."""
    return re.sub(r"(?<=\d)x(?=\d)", "×", text)


def table_1_html(report: ComputeReport) -> Markup:
    """Table 1: weights and MACs by arithmetic, the paper's printed figures beside them, and totals."""
    rows = []
    for row in report.rows:
        mark = "*" if row.comparable and row.name in DISAGREEMENTS else ""
        output = f"{row.side}×{row.side}×{row.channels}"
        params, ops = ["", ""], ["", ""]
        if row.printed is not None and row.comparable:
            params = [row.printed.params_text, signed_percent(row.printed.params, row.cost.weights)]
            ops = [row.printed.ops_text, signed_percent(row.printed.ops, row.cost.macs)]
        cells = [output, f"{row.cost.weights:,}", *params, f"{row.cost.macs:,}", *ops]
        rows.append(Line(row.name + mark, cells))
    for name, cost in [("total", report.total), *report.aux.items()]:
        rows.append(Line(name, ["", f"{cost.weights:,}", "", "", f"{cost.macs:,}", "", ""], total=True))
    header = ["row", "output", "weights", "paper", "differs by", "MACs", "paper", "differs by"]
    return table_html(header, rows, "Table 1 beside the paper's printed figures")


def disagreements_html() -> Markup:
    """The known disagreements between the paper's columns and the arithmetic, explained as far as they can be."""
    return render("cost_notes.html", notes={row: typeset(text) for row, text in DISAGREEMENTS.items()})
