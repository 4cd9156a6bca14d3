"""A benchmark's table for people: Markdown, CSV and text, and the files of its folder."""

from __future__ import annotations

from pathlib import Path

from ...drawing.csv_table import csv_text
from .metrics import METRICS
from .records import write_whole
from .table import Cell, Row, Table, to_json

TABLES = ("table.json", "table.md", "table.csv")


def write_tables(table: Table, folder: Path) -> None:
    """`TABLES` in the folder, each complete or not at all."""
    for name, content in zip(TABLES, (to_json(table), "\n".join(markdown(table)) + "\n", as_csv(table)), strict=True):
        write_whole(folder / name, content)


def number(cell: Cell | None, interval: bool = True) -> str:
    """Mean and interval; a dash where there is nothing."""
    if cell is None:
        return "–"
    return f"{cell.mean:.3f} [{cell.low:.3f}, {cell.high:.3f}]" if interval else f"{cell.mean:.3f}"


def title(table: Table) -> str:
    """How many images, for which class, and how it was measured."""
    settings = table.manifest.settings
    removed = ", ".join(f"{share:.0%}" for share in settings["removed"])
    broken = f", {len(table.broken)} more couldn't be read" if table.broken else ""
    return (
        f"{table.counted}{broken}; maps for the {settings['target']} class; insertion and deletion in "
        f"{settings['steps']} steps; ROAD with {removed} removed and noise of {settings['noise']:g}; "
        f"{settings['precision']}; seed {settings['seed']}"
    )


def notes(table: Table) -> list[str]:
    """What a reader must know: intervals, empty maps, times, images that couldn't be read."""
    found = [
        "In brackets: 95% bootstrap interval of the mean over the images. *: better than each map that says nothing "
        "(random pixels, random cells, image centre), by the interval of the difference on the same images."
    ]
    if table.few:
        found.append(table.few)
    empty = [f"{row.label} at {row.head}: {row.empty}" for row in table.rows if row.empty]
    if empty:
        found.append(f"Maps that are the same everywhere rank nothing and are left out ({', '.join(empty)}).")
    found.append(f"All measures of all rows took {table.measures:.1f} s per image, besides the maps.")
    if table.broken:
        found.append(f"Left out: {'; '.join(table.broken)}.")
    return found


def _cells(row: Row) -> list[str]:
    cells = [row.cells.get(name) for name in METRICS]
    return [f"{number(cell, row.interval)}{'*' if cell is not None and cell.beats_all else ''}" for cell in cells]


def _seconds(row: Row) -> str:
    return "" if row.seconds is None else f"{row.seconds:.2f}"


def _heads() -> list[str]:
    arrows = {"high": "↑", "low": "↓"}
    return [f"{metric.label} {arrows[metric.better]}" for metric in METRICS.values()]


def markdown(table: Table) -> list[str]:
    """For a model card: a row per method and head, the heads below each other."""
    columns = ["method", "head", *_heads(), "s per map"]
    lines = [title(table), "", _line(columns), _line(["---", "---", *["---:"] * (len(columns) - 2)])]
    for head in table.heads:
        lines += [_line([row.label, row.head, *_cells(row), _seconds(row)]) for row in table.of(head)]
    return [*lines, "", *notes(table)]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def text(table: Table) -> list[str]:
    """For a terminal: means only, intervals are in the files."""
    lines = [title(table), f"{'method':26}{'head':6}" + "".join(f"{name:>19}" for name in _heads())]
    for head in table.heads:
        for row in table.of(head):
            cells = [row.cells.get(name) for name in METRICS]
            means = [f"{number(c, False)}{'*' if c is not None and c.beats_all else ' '}" for c in cells]
            lines.append(f"{row.label:26}{row.head:6}" + "".join(f"{cell:>19}" for cell in means))
    return [*lines, *notes(table)]


def as_csv(table: Table) -> str:
    """A line per method, head and metric."""
    columns = ["method", "head", "metric", "mean", "low", "high", "beats", "images", "empty", "seconds_per_map"]
    rows: list[list[object]] = []
    for row in table.rows:
        for name, cell in row.cells.items():
            ends = [f"{value:.6f}" for value in (cell.low, cell.high)] if row.interval else ["", ""]
            numbers = [f"{cell.mean:.6f}", *ends]
            seconds = "" if row.seconds is None else f"{row.seconds:.4f}"
            rows.append([row.method, row.head, name, *numbers, " ".join(cell.beats), row.images, row.empty, seconds])
    return csv_text(columns, rows)
