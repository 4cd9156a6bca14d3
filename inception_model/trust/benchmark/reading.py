"""A benchmark's table out of its JSON file, which is untrusted: sizes, kinds and numbers are checked one by one."""

from __future__ import annotations

from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from ...architecture.spec import HEADS
from ...checkpoints.checkpoint import CheckpointError
from ...checkpoints.limits import MAX_BESIDE, MAX_CURVE, MAX_IMAGES, MAX_NAME, MAX_ROWS, MAX_SOURCE
from ...checkpoints.plain_json import choice, entries, fields, items, number, parse, whole, words
from ..measuring import AIMS
from .metrics import METRICS
from .records import FORMAT, BenchmarkError, Manifest
from .table import CURVES, Cell, Row, Table

_SETTINGS = ("methods", "heads", "target", "steps", "removed", "noise", "seed", "precision")
_LARGEST = 1e9
"""No measure of the benchmark is anywhere near."""


def read_table(file: Path) -> Table:
    """A table that `to_json` wrote; raises BenchmarkError for anything else, which names the file but no folder."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BESIDE + 1)
        return _table(parse(text, MAX_BESIDE, "the file"))
    except CheckpointError as error:
        raise BenchmarkError(f"{file.name} is no table of a benchmark ({error})") from None
    except OSError as error:
        raise BenchmarkError(f"{file.name} can't be read ({error.strerror or type(error).__name__})") from None


def _table(raw: Any) -> Table:
    found = entries(raw, "the file", 16)
    version = whole(found.get("format"), "its format", 0, 10**6)
    if version != FORMAT:
        raise CheckpointError(f"it has format {version}; this version reads {FORMAT}")
    fields(found, "the file", ("format", *(entry.name for entry in fields_of(Table))))
    table = Table(
        manifest=_manifest(found["manifest"]),
        rows=tuple(map(_row, items(found["rows"], "its rows", MAX_ROWS))),
        images=whole(found["images"], "its number of images", 0, MAX_IMAGES),
        broken=tuple(words(line, "a broken image's line", MAX_SOURCE) for line in _broken(found["broken"])),
        measures=number(found["measures"], "its seconds per image", 0, _LARGEST),
    )
    if {row.head for row in table.rows} != set(table.heads):
        raise CheckpointError("it has rows of other heads than it says")
    return table


def _broken(value: Any) -> list[Any]:
    return items(value, "its broken images", MAX_BESIDE)


def _manifest(raw: Any) -> Manifest:
    found = fields(raw, "its manifest", (entry.name for entry in fields_of(Manifest)))
    settings = fields(found["settings"], "its settings", _SETTINGS)
    heads = [choice(head, "a head", HEADS) for head in items(settings["heads"], "its heads", len(HEADS))]
    if not heads or len(set(heads)) < len(heads):
        raise CheckpointError("it names no head, or one twice")
    return Manifest(
        checkpoint=words(found["checkpoint"], "its checkpoint's hash", MAX_NAME),
        name=words(found["name"], "its checkpoint's name", MAX_NAME),
        data=words(found["data"], "its data's hash", MAX_NAME),
        images=whole(found["images"], "its manifest's number of images", 0, MAX_IMAGES),
        settings={
            "methods": [words(name, "a method", MAX_NAME) for name in items(settings["methods"], "methods", MAX_ROWS)],
            "heads": heads,
            "target": choice(settings["target"], "its target", AIMS),
            "steps": whole(settings["steps"], "its steps", 1, MAX_CURVE),
            "removed": [
                number(share, "a removed share", 0, 1) for share in items(settings["removed"], "its shares", MAX_CURVE)
            ],
            "noise": number(settings["noise"], "its noise", 0, _LARGEST),
            "seed": whole(settings["seed"], "its seed", -(2**63), 2**63),
            "precision": words(settings["precision"], "its precision", MAX_NAME),
        },
        format=whole(found["format"], "its manifest's format", 0, 10**6),
    )


def _row(raw: Any) -> Row:
    found = fields(raw, "a row", (entry.name for entry in fields_of(Row)))
    cells = entries(found["cells"], "a row's cells", 64)
    curves = entries(found["curves"], "a row's curves", len(CURVES))
    seconds = found["seconds"]
    return Row(
        method=words(found["method"], "a row's method", MAX_NAME),
        head=choice(found["head"], "a row's head", HEADS),
        cells={name: _cell(cell) for name, cell in cells.items() if name in METRICS},
        images=whole(found["images"], "a row's number of images", 0, MAX_IMAGES),
        empty=whole(found["empty"], "a row's number of empty maps", 0, MAX_IMAGES),
        seconds=None if seconds is None else number(seconds, "a row's seconds", 0, _LARGEST),
        curves={name: _curve(points) for name, points in curves.items() if name in CURVES},
    )


def _cell(raw: Any) -> Cell:
    found = fields(raw, "a cell", (entry.name for entry in fields_of(Cell)))
    mean, low, high = (number(found[name], f"a cell's {name}", -_LARGEST, _LARGEST) for name in ("mean", "low", "high"))
    beats = (words(name, "a map's name", MAX_NAME) for name in items(found["beats"], "a cell's beaten maps", 16))
    return Cell(mean, low, high, tuple(beats))


def _curve(points: Any) -> tuple[float, ...]:
    return tuple(
        number(point, "a point of a curve", -_LARGEST, _LARGEST) for point in items(points, "a row's curve", MAX_CURVE)
    )
