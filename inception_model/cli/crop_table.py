"""What `evaluate --crops` prints: the form of the paper's Table 3, with the paper's own figures beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ..analysis.crop_accuracy import CropAccuracy, Row
from ..cost.paper_figures import VOTING, VotingRow
from ..images.crops import SCALES, scaled

_OURS = f"{'models':>7}{'crops':>7}{'cost':>7}{'top-1':>9}{'top-5':>9}{'top-5 error':>13}{'to base':>10}"
_PAPER = f"{'models':>11}{'crops':>7}{'cost':>7}{'top-5 error':>13}{'to base':>10}"


def paper_rows() -> tuple[VotingRow, ...]:
    """The paper's own rows."""
    return VOTING


def row_json(row: Row) -> dict[str, Any]:
    """A row for machines."""
    return {**asdict(row), "cost": row.cost}


def table(found: CropAccuracy, side: int) -> list[str]:
    """A table for every head, in the order of depth; beside main's, the paper's rows of the same crops. `side`: of the
    image that the networks take, in pixels."""
    rows = found.rows()
    lines: list[str] = []
    for head in found.heads:
        main = head == "main"
        lines += [f"{head:<62}{'the paper, ILSVRC 2014 validation' if main else ''}".rstrip()]
        lines += [_OURS + _PAPER if main else _OURS]
        base = 1 - rows[0].heads[head].top5
        for row in rows:
            beside = _paper(row) if main else ""
            lines.append(_ours(row, head, base) + beside)
        lines.append("")
    return [*lines, *_notes(found, rows, side)]


def _ours(row: Row, head: Any, base: float) -> str:
    accuracy = row.heads[head]
    error = 1 - accuracy.top5
    apart = "base" if (row.models, row.crops) == (1, 1) else f"{error - base:+.2%}"
    return (
        f"{row.models:>7}{row.crops:>7}{row.cost:>7}{accuracy.top1:>9.2%}{accuracy.top5:>9.2%}{error:>13.2%}{apart:>10}"
    )


def _paper(row: Row) -> str:
    """The paper has one model and seven: several models stand beside its seven."""
    base = VOTING[0].top5_error
    for printed in VOTING:
        if printed.crops == row.crops and (printed.models > 1) == (row.models > 1):
            apart = "base" if printed is VOTING[0] else f"{printed.top5_error - base:+.2%}"
            return f"{printed.models:>11}{printed.crops:>7}{printed.cost:>7}{printed.top5_error:>13.2%}{apart:>10}"
    return ""


def _notes(found: CropAccuracy, rows: list[Row], side: int) -> Iterator[str]:
    yield "cost: forward passes per image. One crop is the network's own centre view."
    if 10 in found.counts:
        yield (
            f"10 crops: four corners and centre of the centre square at shorter side {scaled(SCALES[0], side)}, with "
            "mirrors; 144: section 7."
        )
    if len(rows[0].members) > 1:
        yield f"1 model: the mean of the {len(rows[0].members)} members, each alone."
        for name, heads in rows[len(found.counts) - 1].members.items():
            said = ", ".join(f"{head} {one.top1:.2%} / {one.top5:.2%}" for head, one in heads.items())
            yield f"  {name} with {rows[len(found.counts) - 1].crops} crops, top-1 / top-5: {said}"
