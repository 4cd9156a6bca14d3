"""The cost page's pictures and tables as HTML, from a ComputeReport: drawn to scale, in the branches' colours.

Solid is what runs: a branch's reduction in its tint, then its convolution in full colour. Hatched is the rest up to
the naive twin. Quantities are MACs or parameters (with biases) on one image.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Literal

from app.static import style
from inception_model.architecture.spec import BRANCHES, BranchKind
from inception_model.cost.layers import Layer
from inception_model.cost.paper_figures import BUDGET_MACS, DISAGREEMENTS
from inception_model.cost.report import ComputeReport, Cost, Row
from inception_model.cost.timing import ModuleTiming
from inception_model.drawing.numbers import amount
from inception_model.drawing.palette import BRANCH_NAMES

Quantity = Literal["macs", "params"]
UNIT_OF: dict[Quantity, str] = {"macs": "MACs", "params": "parameters"}

STYLE = f"<style>\n{style('tables')}</style>"


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


def legend_html() -> str:
    """What the colours mean."""
    swatches = "".join(
        f'<span><i style="background:var(--b{kind})"></i>{BRANCH_NAMES[kind]}</span>' for kind in BRANCHES
    )
    return (
        f'<div class="scope-leg">{swatches}<span>light: its 1×1 reduction</span>'
        '<span><i class="cost-hatch"></i>saved: the rest up to the naive network</span></div>'
    )


def _colour(branch: BranchKind | None) -> str:
    return f"--c:var(--b{branch})" if branch else "--c:var(--mut)"


def _segment(layer: Layer, quantity: Quantity, scale: float) -> str:
    value = of(Cost.of([layer]), quantity)
    tint = ' class="tint"' if layer.name.endswith("_reduce") else ""
    title = f"{layer.row} {layer.name}: {amount(value)}"
    return f'<i{tint} style="{_colour(layer.branch)};width:{value / scale:.3%}" title="{html.escape(title)}"></i>'


def bar_html(
    layers: Iterable[Layer], naive: int, quantity: Quantity, scale: float, label: str, mark: float | None = None
) -> str:
    """One bar: the layers' segments, hatched up to `naive`, as long as its share of `scale`; a mark at a value."""
    found = list(layers)
    value = sum(of(Cost.of([layer]), quantity) for layer in found)
    longest = max(value, naive, 1)
    segments = "".join(_segment(layer, quantity, value or 1) for layer in found)
    marks = [mark] if mark is not None else []
    if naive < value:
        marks.append(naive)  # reductions wider than what they replace: the naive network is the cheaper one
    lines = "".join(f'<span class="cost-mark" style="left:{m / longest:.3%}"></span>' for m in marks)
    return (
        f'<div class="cost-bar" role="img" aria-label="{html.escape(label)}" style="width:{longest / scale:.3%}">'
        f'<div style="width:{value / longest:.3%}">{segments}</div>{lines}</div>'
    )


def modules_html(report: ComputeReport, quantity: Quantity) -> str:
    """Every module as a bar, all on one scale."""
    scale = max(max(of(row.cost, quantity), of(row.naive, quantity)) for row in report.modules)
    return (
        '<div class="cost">' + "".join(_module_row(report, row, quantity, scale) for row in report.modules) + "</div>"
    )


def _module_row(report: ComputeReport, row: Row, quantity: Quantity, scale: float) -> str:
    parts = ", ".join(f"{b.branch} {amount(of(b.cost, quantity))}" for b in report.of_module(row.name))
    words = saved(row.cost, row.naive, quantity)
    label = f"{row.name}, {UNIT_OF[quantity]}: {words}; {parts}"
    bar = bar_html(report.module_layers(row.name), of(row.naive, quantity), quantity, scale, label)
    return row_html(row.name, bar, words)


def row_html(name: str, bar: str, text: str, kind: str = "") -> str:
    """A line of a bar chart: name, bar, numbers; `kind` "wide" leaves more room for these."""
    return (
        f'<div class="cost-row {kind}"><b>{html.escape(name)}</b><div>{bar}</div><span>{html.escape(text)}</span></div>'
    )


def branches_html(report: ComputeReport, module: str, quantity: Quantity) -> str:
    """The four branches of a module as bars on one scale."""
    branches = report.of_module(module)
    scale = max(max(of(b.cost, quantity), of(b.naive, quantity)) for b in branches)
    lines = []
    for branch in branches:
        layers = [layer for layer in report.module_layers(module) if layer.branch == branch.branch]
        words = saved(branch.cost, branch.naive, quantity)
        label = f"{module} {branch.branch}, {UNIT_OF[quantity]}: {words}"
        bar = bar_html(layers, of(branch.naive, quantity), quantity, scale, label)
        lines.append(row_html(BRANCH_NAMES[branch.branch], bar, words))
    return f'<div class="cost">{"".join(lines)}</div>'


def network_html(
    report: ComputeReport, quantity: Quantity, scale: float | None = None, name: str = "all", *, budget: bool = True
) -> str:
    """The whole network as one bar: stem and classifier in grey, the branches of all modules in their colours.

    With MACs, the paper's budget of 1.5 billion multiply-adds is a line through the bar, named below with `budget`.
    """
    value, naive = of(report.total, quantity), of(report.total_naive, quantity)
    longest = max(value, naive)
    mark = BUDGET_MACS if quantity == "macs" and longest >= BUDGET_MACS else None
    words = saved(report.total, report.total_naive, quantity)
    label = f"whole network, {UNIT_OF[quantity]}: {words}"
    bar = bar_html(sorted(report.layers, key=_place), naive, quantity, scale or longest, label, mark)
    below = ""
    if mark is not None and budget:
        place = min(max(mark / (scale or longest), 0.14), 0.86)
        below = f'<div class="cost-scale"><span style="left:{place:.3%}">budget 1.5 G</span></div>'
    return f'<div class="cost">{row_html(name, bar + below, words)}</div>'


def _place(layer: Layer) -> tuple[int, bool]:
    """Where a layer lies in the network's bar: stem, the four branches (reductions first), classifier."""
    if layer.branch is None:
        return (len(BRANCHES) + 1 if layer.row == "linear" else 0), False
    return BRANCHES.index(layer.branch) + 1, not layer.name.endswith("_reduce")


def table_html(header: Iterable[str], rows: Iterable[Iterable[str]], sums: int = 0, label: str = "") -> str:
    """A table from ready cells (HTML); the last `sums` rows are totals. It scrolls sideways inside its own box."""
    body = [list(row) for row in rows]
    lines = []
    for index, cells in enumerate(body):
        kind = ' class="sum"' if index >= len(body) - sums else ""
        lines.append(
            f'<tr{kind}><th scope="row">{cells[0]}</th>{"".join(f"<td>{cell}</td>" for cell in cells[1:])}</tr>'
        )
    head = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    return (
        f'<div class="cost-scroll" tabindex="0" role="region" aria-label="{html.escape(label)}">'
        f'<table class="cost-table"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def layers_table_html(report: ComputeReport, module: str) -> str:
    """The six convolutions of a module with exact numbers, and the module's sum."""
    rows = []
    for layer in report.module_layers(module):
        tint = ' class="tint"' if layer.name.endswith("_reduce") else ""
        name = f'<i{tint} style="{_colour(layer.branch)}"></i>{layer.name.replace("_", " ").replace("x", "×")}'
        shape = f"{layer.in_channels} → {layer.out_channels}"
        rows.append([name, f"{layer.kernel}×{layer.kernel}", shape, f"{layer.weights:,}", f"{layer.macs:,}"])
    row = report.row(module)
    rows.append([module, "", "", f"{row.cost.weights:,}", f"{row.cost.macs:,}"])
    rows.append(["naive", "", "", f"{row.naive.weights:,}", f"{row.naive.macs:,}"])
    return table_html(["convolution", "kernel", "channels", "weights", "MACs"], rows, 2, f"Convolutions of {module}")


def signed_percent(new: float, old: float) -> str:
    """How far `new` lies from `old`: +5.7%, −71.3%, 0.0%."""
    text = f"{(new - old) / old:+.1%}".replace("-", "−")
    return text[1:] if text[1:] == "0.0%" else text


def typeset(text: str) -> str:
    """3x3 as 3×3, as the paper prints it."""
    return re.sub(r"(?<=\d)x(?=\d)", "×", text)


def table_1_html(report: ComputeReport) -> str:
    """Table 1: weights and MACs by arithmetic, the paper's printed figures beside them, and totals."""
    rows = []
    for row in report.rows:
        mark = "*" if row.comparable and row.name in DISAGREEMENTS else ""
        output = f"{row.side}×{row.side}×{row.channels}"
        params, ops = ["", ""], ["", ""]
        if row.printed is not None and row.comparable:
            params = [row.printed.params_text, signed_percent(row.printed.params, row.cost.weights)]
            ops = [row.printed.ops_text, signed_percent(row.printed.ops, row.cost.macs)]
        rows.append([row.name + mark, output, f"{row.cost.weights:,}", *params, f"{row.cost.macs:,}", *ops])
    total = report.total
    rows.append(["total", "", f"{total.weights:,}", "", "", f"{total.macs:,}", "", ""])
    rows += [[name, "", f"{cost.weights:,}", "", "", f"{cost.macs:,}", "", ""] for name, cost in report.aux.items()]
    header = ["row", "output", "weights", "paper", "differs by", "MACs", "paper", "differs by"]
    return table_html(header, rows, 1 + len(report.aux), "Table 1 beside the paper's printed figures")


def disagreements_html() -> str:
    """The known disagreements between the paper's columns and the arithmetic, explained as far as they can be."""
    notes = "".join(f"<p><b>{row}</b> {html.escape(typeset(text))}</p>" for row, text in DISAGREEMENTS.items())
    return f'<div class="cost-notes">{notes}</div>'


def timings_html(timings: Iterable[ModuleTiming], report: ComputeReport) -> str:
    """Measured milliseconds of every module beside its naive twin's, drawn to scale, and the ratio of MACs."""
    found = list(timings)
    scale = max(max(t.naive_seconds, t.reduced_seconds) for t in found)
    lines = []
    for timing in found:
        fast, slow = timing.reduced_seconds, timing.naive_seconds
        longest = max(fast, slow)
        row = report.row(timing.module)
        label = f"{timing.module}: {fast * 1e3:.2f} ms, naive {slow * 1e3:.2f} ms"
        bar = (
            f'<div class="cost-bar" role="img" aria-label="{label}" style="width:{longest / scale:.3%}">'
            f'<div style="width:{fast / longest:.3%}"><i style="--c:var(--mut);width:100%"></i></div></div>'
        )
        text = f"{fast * 1e3:.2f} of {slow * 1e3:.2f} ms · {timing.ratio:.1f}× ({times(row.naive.macs, row.cost.macs)})"
        lines.append(row_html(timing.module, bar, text, "wide"))
    return f'<div class="cost">{"".join(lines)}</div>'
