"""The table of a benchmark: methods x metrics x heads, each number with its interval, as data and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from ...attribution import METHODS
from ...checkpoints.checkpoint import Checkpoint
from ...checkpoints.messages import shown
from ...checkpoints.store import beside
from ..intervals import bootstrap_interval
from .metrics import METRICS, Mark
from .records import FORMAT, BenchmarkError, ImageRecord, Manifest
from .rivals import RIVALS

LEVEL = 0.95
FEWEST = 10
"""Images from which on a row can be said to be better than another: resampled, fewer look more alike than they are."""
CURVES = ("insertion", "deletion", "morf", "lerf", "morf_same", "lerf_same")


@dataclass(frozen=True)
class Cell:
    """A metric's mean over images with its 95% bootstrap interval, of one image just its value. `beats`: the maps that
    say nothing (RIVALS) which it is better than on the same images, at least FEWEST of them, the interval of the mean
    difference lying on the good side of 0."""

    mean: float
    low: float
    high: float
    beats: tuple[str, ...]

    @property
    def beats_all(self) -> bool:
        """Whether it is better than every map that says nothing."""
        return len(self.beats) == len(RIVALS)


@dataclass(frozen=True)
class Row:
    """One method (or rival) at one head. `images`: how many it was measured on; `empty`: how many maps were the same
    everywhere and are left out; `seconds`: for one map, None for rivals; `curves`: means of the curves."""

    method: str
    head: str
    cells: dict[str, Cell]
    images: int
    empty: int
    seconds: float | None
    curves: dict[str, tuple[float, ...]]

    @property
    def label(self) -> str:
        """What the row is called for people."""
        if self.method in METHODS:
            return METHODS[self.method].label
        return RIVALS[self.method].label if self.method in RIVALS else self.method

    @property
    def rival(self) -> bool:
        """Whether this is a map that says nothing."""
        return self.method in RIVALS

    @property
    def interval(self) -> bool:
        """Whether its intervals say anything: one image has none."""
        return self.images > 1


@dataclass(frozen=True)
class Table:
    """All rows, of one manifest. `images` were measured and `broken` (name and reason) could not be; `measures`:
    seconds per image for everything but the maps."""

    manifest: Manifest
    rows: tuple[Row, ...]
    images: int
    broken: tuple[str, ...]
    measures: float

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that were measured."""
        return tuple(self.manifest.settings["heads"])

    @property
    def counted(self) -> str:
        """How many images, in words; a run that was stopped says of how many."""
        whole = self.manifest.images
        stopped = self.images + len(self.broken) < whole
        return f"{self.images} images" + (f" (the first of {whole}; the run was stopped there)" if stopped else "")

    @property
    def few(self) -> str:
        """What a reader must know of so few images; empty where there are enough."""
        if self.images >= FEWEST:
            return ""
        none = " One image has no interval." if self.images == 1 else ""
        return f"Fewer than {FEWEST} images: no row is called better than another.{none}"

    def of(self, head: str) -> tuple[Row, ...]:
        """The rows of one head: the methods, then the maps that say nothing."""
        rows = [row for row in self.rows if row.head == head]
        return (*(row for row in rows if not row.rival), *(row for row in rows if row.rival))


def tabulate(manifest: Manifest, records: Mapping[int, ImageRecord]) -> Table:
    """Means and intervals of all records; raises BenchmarkError where no image could be measured."""
    good = [record for record in records.values() if record.error is None]
    broken = tuple(f"{record.image}: {record.error}" for record in records.values() if record.error is not None)
    if not good:
        raise BenchmarkError(f"none of {len(records)} images could be measured: {'; '.join(broken[:3]) or 'no images'}")
    seed = int(manifest.settings["seed"])
    names = [*manifest.settings["methods"], *RIVALS]
    rows = tuple(_row(name, head, good, seed) for head in manifest.settings["heads"] for name in names)
    return Table(manifest, rows, len(good), broken, mean(record.measures for record in good))


def _row(name: str, head: str, records: Sequence[ImageRecord], seed: int) -> Row:
    pairs = [(record, mark) for record in records if (mark := record.marks[name][head]) is not None]
    times = [record.maps[name][head] for record in records if name in record.maps]
    cells = {metric: _cell(metric, name, head, pairs, seed) for metric in METRICS} if pairs else {}
    curves = {
        curve: tuple(
            mean(map(float, points)) for points in zip(*(getattr(mark, curve) for _, mark in pairs), strict=True)
        )
        for curve in CURVES
    }
    return Row(name, head, cells, len(pairs), len(records) - len(pairs), mean(times) if times else None, curves)


def _cell(metric: str, name: str, head: str, pairs: Sequence[tuple[ImageRecord, Mark]], seed: int) -> Cell:
    values = [mark.values[metric] for _, mark in pairs]
    sign = 1 if METRICS[metric].better == "high" else -1
    beats: list[str] = []
    for rival in RIVALS:
        others = [record.marks[rival][head] for record, _ in pairs]
        gains = [sign * (value - o.values[metric]) for value, o in zip(values, others, strict=True) if o is not None]
        if rival != name and len(gains) >= FEWEST and bootstrap_interval(gains, seed, LEVEL)[0] > 0:
            beats.append(rival)
    return Cell(mean(values), *bootstrap_interval(values, seed, LEVEL), tuple(beats))


def to_json(table: Table) -> str:
    """The whole table with its manifest."""
    return json.dumps({"format": FORMAT, **asdict(table)}, indent=1) + "\n"


def table_path(name_or_path: str | Path) -> Path:
    """Where a checkpoint's table lies: `NAME.benchmark.json` beside its file, which may be named as for `load`."""
    return beside(name_or_path, "benchmark.json")


def require_same_network(table: Table, checkpoint: Checkpoint) -> None:
    """Raises BenchmarkError where the table was measured on another file of weights."""
    if table.manifest.checkpoint != checkpoint.sha256:
        raise BenchmarkError(
            f"the benchmark beside {checkpoint.name} was measured on other weights "
            f"({shown(table.manifest.checkpoint[:12])} instead of {checkpoint.sha256[:12]}): measure it again"
        )
