"""What short trainings found: accuracy with intervals, over the networks or over what they cost, and gradients."""

from __future__ import annotations

import math
from statistics import mean
from typing import TYPE_CHECKING, Any

from app.charts.template import Trace, colour, figure, note, plain
from inception_model.drawing.numbers import amount, number
from inception_model.studies.results import Mean, StudyResults, Summary

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 250
PANEL = 170
"""Pixels of one module's gradients."""
_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}
_DASHES = ("dot", "dash", "solid", "longdash", "dashdot")


def between(found: Mean, digits: int = 1) -> str:
    """A mean of shares in percent, with its interval."""
    if found.interval is None:
        return f"{found.value:.{digits}%}"
    low, high = found.interval
    return f"{found.value:.{digits}%} ({low:.{digits}%} to {high:.{digits}%})"


def accuracy_figure(found: StudyResults) -> Figure:
    """Top-1 as dots with their intervals, and every single run as a small ring: side by side, or, where the networks
    are of several series, a line of each over its multiply-adds (logarithmic)."""
    rows = found.summaries()
    dear = any(row.series for row in rows)
    traces: list[Trace] = []
    for place, series in enumerate(dict.fromkeys(row.series for row in rows)):
        own = [row for row in rows if row.series == series]
        tone = colour("mut" if place else "ink")
        x = [_x(row, dear) for row in own]
        above, below = zip(*(_reach(row.top1) for row in own), strict=True)
        traces.append({
            "type": "scatter", "mode": "lines+markers" if dear else "markers", "name": plain(series), "x": x,
            "y": [row.top1.value for row in own], "cliponaxis": False,
            "error_y": {"type": "data", "array": list(above), "arrayminus": list(below), "symmetric": False,
                        "color": tone, "thickness": 1.5, "width": 5},
            "customdata": [[plain(row.variant), between(row.top1)] for row in own],
            "hovertemplate": "%{customdata[0]}: <b>%{customdata[1]}</b><extra></extra>",
            "line": {"color": tone, "width": 2, "dash": "dash" if place else "solid"},
            "marker": {"size": 9, "color": tone},
        })  # fmt: skip
    single = [(row, run) for row in rows for run in found.of(row.variant)]
    traces.append({
        "type": "scatter", "mode": "markers", "name": "single runs", "x": [_x(row, dear) for row, _ in single],
        "y": [run.top1 for _, run in single], "cliponaxis": False,
        "customdata": [[plain(row.variant), run.seed] for row, run in single],
        "hovertemplate": "%{customdata[0]}, seed %{customdata[1]}: <b>%{y:.1%}</b><extra></extra>",
        "marker": {"size": 6, "color": colour("bg"), "line": {"width": 1, "color": colour("mut")}},
    })  # fmt: skip
    axis: dict[str, Any] = {"type": "category"}
    if dear:
        costs = sorted({row.cost.macs for row in rows})
        low, high = math.log10(costs[0]), math.log10(costs[-1])
        room = 0.05 * (high - low or 1)
        axis = {"type": "log", "range": [low - room, high + room], "tickvals": [costs[0], costs[-1]],
                "ticktext": [amount(costs[0]), amount(costs[-1])],
                "title": {"text": "multiply-adds of one image"}}  # fmt: skip
    return figure(
        traces, height=HEIGHT, showlegend=dear, legend=_LEGEND, xaxis=axis,
        margin={"l": 50, "r": 12, "t": 30 if dear else 12, "b": 46 if dear else 30},
        yaxis={"tickformat": ".0%", "showgrid": True, "griddash": "dot", "nticks": 6,
               "title": {"text": "top-1"}},
    )  # fmt: skip


def _reach(found: Mean) -> tuple[float, float]:
    """How far the interval reaches above and below the mean."""
    low, high = found.interval or (found.value, found.value)
    return high - found.value, found.value - low


def _x(row: Summary, dear: bool) -> Any:
    return row.cost.macs if dear else plain(row.variant)


def accuracy_words(found: StudyResults) -> str:
    """Every dot with its interval."""
    return "Top-1 after training: " + "; ".join(
        f"{row.variant} {between(row.top1)}, {amount(row.cost.macs)} multiply-adds" for row in found.summaries()
    )


def gradient_height(found: StudyResults) -> int:
    """How high the gradients of all modules are drawn."""
    return 40 + PANEL * len(_modules(found))


def _modules(found: StudyResults) -> list[str]:
    return list(found.runs[0].gradients)


def gradient_line(found: StudyResults, variant: str, module: str) -> tuple[list[int], list[float]]:
    """(steps, norms): the geometric mean over the seeds, at the steps that all of them measured."""
    runs = [dict(run.gradients[module]) for run in found.of(variant)]
    steps = sorted(set.intersection(*(set(run) for run in runs)))
    return steps, [math.exp(mean(math.log(max(run[step], 1e-30)) for run in runs)) for step in steps]


def gradient_figure(found: StudyResults) -> Figure:
    """A panel for each module, a line for each network: the norm of the gradient of the loss over the steps."""
    modules, rows = _modules(found), found.summaries()
    total, traces, axes, notes = gradient_height(found), list[Trace](), dict[str, Any](), list[dict[str, Any]]()
    for index, module in enumerate(modules):
        at = str(index + 1) if index else ""
        top = 1 - (30 + index * PANEL) / total
        bottom = top - (PANEL - 40) / total
        last = index == len(modules) - 1
        for place, row in enumerate(rows):
            steps, norms = gradient_line(found, row.variant, module)
            tone = colour("ink" if row.variant != found.base else "mut")
            traces.append({
                "type": "scatter", "mode": "lines", "name": plain(row.variant), "legendgroup": plain(row.variant),
                "showlegend": not index, "x": steps, "y": norms, "xaxis": f"x{at}", "yaxis": f"y{at}",
                "line": {"color": tone, "width": 2, "dash": _DASHES[place % len(_DASHES)]},
                "hovertemplate": f"{plain(row.variant)}, {plain(module)} at step %{{x:,}}: <b>%{{y:.3~g}}</b>"
                                 "<extra></extra>",
            })  # fmt: skip
        axes[f"xaxis{at}"] = {"anchor": f"y{at}", "rangemode": "tozero", "showticklabels": last,
                              "title": {"text": "steps" if last else ""}}  # fmt: skip
        axes[f"yaxis{at}"] = {"anchor": f"x{at}", "domain": [max(0.0, bottom), top], "type": "log", "showgrid": True,
                              "griddash": "dot", "nticks": 4, "exponentformat": "power",
                              "title": {"text": "gradient norm"}}  # fmt: skip
        notes.append(
            note(f"<b>{plain(module)}</b>", x=1, xref="paper", xanchor="right", y=top, yref="paper", yanchor="top")
        )
    return figure(
        traces, height=total, showlegend=True, legend=_LEGEND | {"y": 1.0, "yanchor": "bottom"}, annotations=notes,
        margin={"l": 50, "r": 12, "t": 30, "b": 44}, **axes,
    )  # fmt: skip


def gradient_words(found: StudyResults) -> str:
    """How large each gradient is, over all measured steps."""
    said = []
    for module in _modules(found):
        each = []
        for row in found.summaries():
            _, norms = gradient_line(found, row.variant, module)
            each.append(f"{row.variant} {number(math.exp(mean(map(math.log, norms))))}")
        said.append(f"{module}: {', '.join(each)}")
    return (
        f"Norm of the loss's gradient with respect to a module's weights, on average over training. {'; '.join(said)}"
    )
