"""How training went, and whether a head's confidence can be taken at its word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from app.charts.template import Trace, colour, figure, rule
from inception_model.architecture.spec import HEADS, HeadName

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose probability lies in one interval: how many, their mean probability, and the share that is right."""

    count: int
    confidence: float
    accuracy: float


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = 15) -> tuple[ReliabilityBin, ...]:
    """Probabilities of first answers (N,), and whether each is right -> the bins of equal width that are not empty.

    (Guo et al. 2017, section 2.) Raises ValueError where the two differ in length.
    """
    sure, hit = np.asarray(confidences, np.float64), np.asarray(right, bool)
    if sure.shape != hit.shape:
        raise ValueError(f"{len(sure)} confidences but {len(hit)} verdicts; one verdict belongs to each")
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return tuple(
        ReliabilityBin(int(inside.sum()), float(sure[inside].mean()), float(hit[inside].mean()))
        for inside in (place == b for b in range(bins))
        if inside.any()
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy, weighted by the bins' counts."""
    total = sum(found.count for found in bins)
    return sum(found.count * abs(found.accuracy - found.confidence) for found in bins) / total if total else 0.0


def calibration_figure(heads: Mapping[HeadName, Sequence[ReliabilityBin]]) -> Figure:
    """Reliability diagram: a line per head in its colour, one dot per bin as large as its share of the answers; on the
    dashed diagonal confidence is accuracy, below it a head is too sure."""
    traces = []
    for head, bins in heads.items():
        total = sum(found.count for found in bins) or 1
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": head,
            "x": [found.confidence for found in bins], "y": [found.accuracy for found in bins],
            "customdata": [[found.count] for found in bins], "cliponaxis": False,
            "hovertemplate": f"{head}: <b>%{{x:.1%}}</b> sure, <b>%{{y:.1%}}</b> right of %{{customdata[0]:,}}"
                             "<extra></extra>",
            "line": {"color": colour(head), "width": 1.5},
            "marker": {"color": colour(head), "size": [5 + 15 * (found.count / total) ** 0.5 for found in bins]},
        })  # fmt: skip
    share: dict[str, Any] = {"range": [0, 1], "tickvals": [0, 0.5, 1], "tickformat": ".0%", "showgrid": True}
    return figure(
        traces, height=340, showlegend=True, shapes=[rule(0, 0, 1, 1, dash="dash", name="mut")],
        margin={"l": 56, "r": 12, "t": 30, "b": 44}, legend=_LEGEND,
        xaxis={**share, "title": {"text": "how sure"}}, yaxis={**share, "title": {"text": "how often right"}},
    )  # fmt: skip


def calibration_words(heads: Mapping[HeadName, Sequence[ReliabilityBin]]) -> str:
    """The calibration error of every head."""
    return "Confidence against accuracy: " + ", ".join(
        f"{head} is off by {calibration_error(bins):.1%} on average" for head, bins in heads.items()
    )


@dataclass(frozen=True)
class TrainingCurve:
    """Top-1 accuracy of one head over a training: (step, share of held-out images), in order."""

    head: HeadName
    points: tuple[tuple[int, float], ...]


def training_curves(log: Iterable[Mapping[str, Any]]) -> tuple[TrainingCurve, ...]:
    """The lines of a run's `log.jsonl` -> a curve per head: those that carry `held_out` measurements."""
    measured = [line for line in log if line.get("held_out")]
    return tuple(
        TrainingCurve(head, tuple((int(line["step"]), float(line["held_out"][head]["top1"])) for line in measured
                                  if head in line["held_out"]))
        for head in HEADS
        if any(head in line["held_out"] for line in measured)
    )  # fmt: skip


def training_figure(curves: Sequence[TrainingCurve]) -> Figure:
    """A line per head in its colour: accuracy on held-out images over the steps of training."""
    traces: list[Trace] = [
        {
            "type": "scatter", "mode": "lines+markers", "name": curve.head, "x": [step for step, _ in curve.points],
            "y": [share for _, share in curve.points], "cliponaxis": False,
            "hovertemplate": f"{curve.head} after %{{x:,}} steps: <b>%{{y:.1%}}</b><extra></extra>",
            "line": {"color": colour(curve.head), "width": 2}, "marker": {"color": colour(curve.head), "size": 6},
        }
        for curve in curves
    ]  # fmt: skip
    return figure(
        traces, height=260, showlegend=True, legend=_LEGEND, margin={"l": 46, "r": 12, "t": 30, "b": 44},
        xaxis={"title": {"text": "steps"}, "rangemode": "tozero", "tickformat": ","},
        yaxis={"title": {"text": "top-1 on held-out images"}, "tickformat": ".0%", "rangemode": "tozero",
               "showgrid": True, "automargin": True},
    )  # fmt: skip


def training_words(curves: Sequence[TrainingCurve]) -> str:
    """Where every head begins and ends."""
    return "Top-1 on held-out images: " + ", ".join(
        f"{curve.head} from {curve.points[0][1]:.1%} to {curve.points[-1][1]:.1%} after {curve.points[-1][0]:,} steps"
        for curve in curves
    )


_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}
