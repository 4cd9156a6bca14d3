"""How training went, and whether a head's confidence can be taken at its word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.charts.template import Trace, colour, figure, rule
from inception_model.architecture.spec import HeadName
from inception_model.training.calibration import Calibration, HeadCalibration, Reliability
from inception_model.training.curve import TrainingCurve

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

RELIABILITY_HEIGHT = 300
TRAINING_HEIGHT = 300

_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}


def reliability_figure(head: HeadName, found: HeadCalibration) -> Figure:
    """Reliability diagram of one head: dotted grey without its temperature, in its colour with it, one dot per bin as
    large as its share of the answers. On the dashed diagonal confidence is accuracy, below it the head is too sure."""
    share: dict[str, Any] = {"range": [0, 1], "tickvals": [0, 0.5, 1], "tickformat": ".0%", "showgrid": True}
    return figure(
        [_reliability_line("raw", found.before, "mut", "dot"), _reliability_line("calibrated", found.after, head)],
        height=RELIABILITY_HEIGHT, showlegend=True, shapes=[rule(0, 0, 1, 1, dash="dash", name="mut")],
        margin={"l": 56, "r": 14, "t": 30, "b": 44}, legend=_LEGEND,
        xaxis={**share, "title": {"text": "how sure"}}, yaxis={**share, "title": {"text": "how often right"}},
    )  # fmt: skip


def _reliability_line(name: str, found: Reliability, tone: str, dash: str = "solid") -> Trace:
    return {
        "type": "scatter", "mode": "lines+markers", "name": name,
        "x": [each.confidence for each in found.bins], "y": [each.accuracy for each in found.bins],
        "customdata": [[each.count] for each in found.bins], "cliponaxis": False,
        "hovertemplate": f"{name}: <b>%{{x:.1%}}</b> sure, <b>%{{y:.1%}}</b> right of %{{customdata[0]:,}}"
                         "<extra></extra>",
        "line": {"color": colour(tone), "width": 1.5, "dash": dash},
        "marker": {"color": colour(tone), "size": [4 + 13 * (each.count / found.images) ** 0.5 for each in found.bins]},
    }  # fmt: skip


def reliability_words(head: HeadName, found: HeadCalibration) -> str:
    """The head's calibration error, in both states."""
    return (
        f"Confidence against accuracy of {head}: off by {found.before.error:.1%} on average as it is, by "
        f"{found.after.error:.1%} at temperature {found.temperature:.3f}"
    )


def calibration_words(found: Calibration) -> str:
    """What the temperatures say of the heads, and where they come from."""
    too = {True: "too sure", False: "not sure enough"}
    said = "; ".join(
        f"{head} is {too[each.temperature > 1]} and misses its accuracy by {each.before.error:.1%} on average, at "
        f"temperature {each.temperature:.2f} by {each.after.error:.1%}"
        for head, each in found.heads.items()
    )
    return (
        f"As trained, {said}. The temperatures were fitted on {found.fitted:,} held-out training images, the misses "
        f"measured on {found.measured:,} validation images of {found.data}."
    )


def training_figure(curves: Sequence[TrainingCurve]) -> Figure:
    """A line per head in its colour: accuracy on held-out images over the steps of training."""
    traces: list[Trace] = [
        {
            "type": "scatter", "mode": "lines+markers", "name": curve.head, "x": [step for step, _ in curve.points],
            "y": [share for _, share in curve.points], "cliponaxis": False,
            "hovertemplate": f"{curve.head} after %{{x:,}} steps: <b>%{{y:.1%}}</b><extra></extra>",
            "line": {"color": colour(curve.head), "width": 2},
            "marker": {"color": colour(curve.head), "size": 6 if len(curve.points) <= 20 else 3},
        }
        for curve in curves
    ]  # fmt: skip
    return figure(
        traces, height=TRAINING_HEIGHT, showlegend=True, legend=_LEGEND, margin={"l": 46, "r": 12, "t": 30, "b": 44},
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
