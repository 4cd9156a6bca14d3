"""What was measured of a network, as text in its file: calibration and curve. Read as untrusted input.

Every function that reads raises CheckpointError for whatever isn't as it is written here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..architecture.probabilities import HIGHEST, LOWEST
from ..architecture.spec import HEADS, HeadName
from ..training.calibration import BINS, Calibration, HeadCalibration, Reliability, ReliabilityBin
from ..training.curve import MAX_POINTS, TrainingCurve
from .checkpoint import CheckpointError
from .limits import MAX_IMAGES, MAX_MEASURED, MAX_NAME
from .plain_json import entries, fields, items, number, parse, whole, words


def calibration_to_json(calibration: Calibration) -> str:
    """Bins as [count, confidence, accuracy]."""
    heads = {
        head: {
            "temperature": found.temperature,
            **{
                name: {"nll": measured.nll, "bins": [list(asdict(each).values()) for each in measured.bins]}
                for name, measured in (("before", found.before), ("after", found.after))
            },
        }
        for head, found in calibration.heads.items()
    }
    return json.dumps(
        {"data": calibration.data, "fitted": calibration.fitted, "measured": calibration.measured, "heads": heads}
    )


def calibration_from(text: str) -> Calibration:
    """The inverse of `calibration_to_json`."""
    found = fields(parse(text, MAX_MEASURED, "it"), "it", ("data", "fitted", "measured", "heads"))
    measured = whole(found["measured"], "its number of images", 0, MAX_IMAGES)
    rows = _by_head(found["heads"])
    heads: dict[HeadName, HeadCalibration] = {}
    for head in (head for head in HEADS if head in rows):
        row = fields(rows[head], head, ("temperature", "before", "after"))
        before, after = (_reliability(row[name], f"{name} of {head}", measured) for name in ("before", "after"))
        temperature = number(row["temperature"], f"the temperature of {head}", LOWEST, HIGHEST)
        heads[head] = HeadCalibration(temperature, before, after)
    fitted = whole(found["fitted"], "its number of images", 0, MAX_IMAGES)
    return Calibration(words(found["data"], "the name of its data", MAX_NAME), fitted, measured, heads)


def curve_to_json(curves: Sequence[TrainingCurve]) -> str:
    """Head -> [step, share] in order."""
    return json.dumps({curve.head: [list(point) for point in curve.points] for curve in curves})


def curve_from(text: str) -> tuple[TrainingCurve, ...]:
    """The inverse of `curve_to_json`."""
    found, curves = _by_head(parse(text, MAX_MEASURED, "it")), []
    for head in (head for head in HEADS if head in found):
        what = f"the curve of {head}"
        points = [_point(row, what) for row in items(found[head], what, MAX_POINTS)]
        if not points or any(a[0] >= b[0] for a, b in itertools.pairwise(points)):
            raise CheckpointError(f"{what} needs 1 to {MAX_POINTS} points whose steps rise")
        curves.append(TrainingCurve(head, tuple(points)))
    return tuple(curves)


def _point(row: Any, what: str) -> tuple[int, float]:
    both = _numbers(row, f"a point of {what}", 2)
    return whole(both[0], f"a step of {what}", 0, MAX_IMAGES), number(both[1], f"a share of {what}", 0, 1)


def _numbers(row: Any, what: str, count: int) -> list[Any]:
    found = items(row, what, count)
    if len(found) != count:
        raise CheckpointError(f"{what} has {len(found)} numbers, where {count} are expected")
    return found


def _by_head(found: Any) -> dict[str, Any]:
    rows = entries(found, "it", len(HEADS))
    if not set(rows) <= set(HEADS):
        raise CheckpointError(f"it names a head that there isn't; allowed: {', '.join(HEADS)}")
    return rows


def _reliability(found: Any, what: str, images: int) -> Reliability:
    measured = fields(found, what, ("nll", "bins"))
    rows = [_numbers(row, f"a bin of {what}", 3) for row in items(measured["bins"], f"the bins of {what}", BINS)]
    bins = tuple(
        ReliabilityBin(
            whole(count, f"a count of {what}", 0, MAX_IMAGES),
            number(sure, f"a confidence of {what}", 0, 1),
            number(right, f"an accuracy of {what}", 0, 1),
        )
        for count, sure, right in rows
    )
    if not bins or sum(each.count for each in bins) != images:
        raise CheckpointError(f"the bins of {what} don't hold the {images:,} images that were measured")
    return Reliability(bins, number(measured["nll"], f"the log loss of {what}", 0))
