"""`compute`: what a network costs, row by row of Table 1, beside the paper's printed figures and a naive twin."""

from __future__ import annotations

import argparse

from ..architecture.spec import DEFAULT_SIZE
from ..architecture.variants import SPECS, get_spec
from ..cost.layers import DEFAULT_NAIVE, NAIVE
from ..cost.paper_figures import BUDGET_MACS, DISAGREEMENTS
from ..cost.report import ComputeReport, Row, compute_report
from .common import add_json_option, print_json


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Registers the command."""
    parser = subparsers.add_parser(
        "compute",
        help="weights, parameters and MACs of every row and branch, and what the 1x1 reductions save",
        epilog="kinds of naive: " + " ".join(f"{name}: {sentence}" for name, sentence in NAIVE.items()),
    )
    parser.add_argument("--spec", default="paper", choices=tuple(SPECS))
    parser.add_argument("--classes", type=int, help="number of classes (default: the published network's)")
    parser.add_argument(
        "--size", type=int, default=DEFAULT_SIZE, help="side of the square image in pixels (default %(default)s)"
    )
    parser.add_argument("--naive", default=DEFAULT_NAIVE, choices=tuple(NAIVE), metavar="KIND", help=", ".join(NAIVE))
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the report."""
    report = compute_report(get_spec(args.spec, args.classes), args.size, args.naive)
    if args.json:
        print_json(report.as_dict())
    else:
        print("\n".join([*rows_table(report), "", *branches_table(report), "", *footnotes(report)]))
    return 0


def relative(paper: int, ours: int) -> str:
    """The paper's figure against ours, in percent."""
    return f"{(paper - ours) / ours:+.1%}"


def rows_table(report: ComputeReport) -> list[str]:
    """Every row with totals, aligned."""
    spec = report.spec
    lines = [
        f"{spec.name}, {spec.classes} classes, {report.size} x {report.size} pixels",
        f"naive: {NAIVE[report.kind]}",
        "",
        f"{'row':<8}{'output':>14}{'weights':>13}{'params':>13}{'MACs':>16}{'naive MACs':>16}{'saved':>8}"
        f"{'paper params':>14}{'':>9}{'paper ops':>11}{'':>9}",
    ]
    lines += [_row_line(row) for row in report.rows]
    total, naive = report.total, report.total_naive
    lines.append(
        f"{'total':<22}{total.weights:>13,}{total.params:>13,}{total.macs:>16,}{naive.macs:>16,}"
        f"{naive.macs / total.macs:>7.2f}x"
    )
    modules, twins = report.modules_total()
    lines.append(
        f"{'modules':<22}{modules.weights:>13,}{modules.params:>13,}{modules.macs:>16,}{twins.macs:>16,}"
        f"{twins.macs / modules.macs:>7.2f}x"
    )
    for name, cost in report.aux.items():
        lines.append(f"{name:<22}{cost.weights:>13,}{cost.params:>13,}{cost.macs:>16,}")
    return lines + [f"{name:<8}left out: {reason}" for name, reason in report.aux_left_out.items()]


def _row_line(row: Row) -> str:
    output = f"{row.side}x{row.side}x{row.channels}"
    line = (
        f"{row.name:<8}{output:>14}{row.cost.weights:>13,}{row.cost.params:>13,}{row.cost.macs:>16,}"
        f"{row.naive.macs:>16,}{row.naive.macs / row.cost.macs:>7.2f}x"
    )
    if row.printed is None or not row.comparable:
        return line
    mark = "*" if row.name in DISAGREEMENTS else ""
    return (
        f"{line}{row.printed.params_text:>14}{relative(row.printed.params, row.cost.weights):>9}"
        f"{row.printed.ops_text:>11}{relative(row.printed.ops, row.cost.macs):>9}{mark}"
    )


def branches_table(report: ComputeReport) -> list[str]:
    """Every branch of every module: MACs as it runs and naive."""
    lines = [f"{'module':<8}{'branch':<8}{'weights':>13}{'MACs':>16}{'naive MACs':>16}{'saved':>8}"]
    for branch in report.branches:
        saved = f"{branch.naive.macs / branch.cost.macs:>7.2f}x" if branch.naive.macs else f"{'gone':>8}"
        lines.append(
            f"{branch.module:<8}{branch.branch:<8}{branch.cost.weights:>13,}{branch.cost.macs:>16,}"
            f"{branch.naive.macs:>16,}{saved}"
        )
    return lines


def footnotes(report: ComputeReport) -> list[str]:
    """What the columns mean, and the known disagreements with the paper's printed columns."""
    notes = [
        "weights are without biases; params have one bias per channel (batch norm folded); a MAC is one multiply-add.",
        f"The paper's budget is {BUDGET_MACS / 1e9:.1f} billion multiply-adds; this network takes "
        f"{report.total.macs / 1e9:.3f} billion.",
    ]
    if any(row.comparable for row in report.modules):
        notes.append("The percentages say how far the paper's printed figures lie from the weights and MACs here.")
        notes += [f"* {row}: {text}" for row, text in DISAGREEMENTS.items()]
    return notes
