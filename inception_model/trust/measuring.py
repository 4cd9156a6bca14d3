"""Maps of many labelled pictures, judged one after the other: rows of a table with intervals, and a file that goes on.

What a picture is and how its map is judged lies in `localization` (photos with boxes) and `mosaic`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor

from ..attribution.batched import heatmaps
from ..attribution.explaining import find_method, trained_head
from ..inference.classifier import Classifier
from ..progress import Progress, report
from ..training.data import DatasetError
from ..training.evaluation import BATCH
from ..whole_file import whole
from .intervals import bootstrap_interval, bootstrap_interval_of_classes, mean_of_classes

Aim = Literal["true", "predicted"]
"""The class that a map is for: the image's own, or the one that the network answers."""
AIMS: tuple[Aim, ...] = get_args(Aim)
DEFAULT_AIM: Aim = "true"
Marks = Sequence[float | None]
"""A map's marks, in the order of the measures; None where nothing of the map is positive."""

BASELINES = {"centre": "image centre", "even": "even map", "random": "random map"}
"""What needs no network, and what tables call it."""


class Judge(Protocol):
    """Knows where on a picture a map should be."""

    def of(self, heatmap: Tensor) -> Marks:
        """The marks of a map (h, w), however coarse."""

    def baseline(self, name: str, seed: int) -> Marks:
        """The marks of one of BASELINES; `seed` starts the random map."""


@dataclass(frozen=True)
class Trial:
    """A normalised picture (1, 3, S, S) whose maps are asked for the class `label`, made of the images `shows`."""

    x: Tensor
    label: int
    shows: tuple[int, ...]
    judge: Judge


class Trials(Protocol):
    """Pictures by number, made when they are asked for."""

    @property
    def kind(self) -> str:
        """What the pictures are, in a word."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the marks, in their order."""

    @property
    def by_class(self) -> tuple[str, ...]:
        """Measures that are the mean over classes of each class's mean."""

    def __len__(self) -> int: ...

    def part(self, start: int, stop: int) -> list[Trial]:
        """The pictures with these numbers, without those that can't be judged."""

    def settings(self) -> dict[str, Any]:
        """All that decides which pictures there are, as plain JSON."""


@dataclass(frozen=True)
class Row:
    """One method (or baseline) at one head. `values` and `intervals` (95%, bootstrap over pictures) by measure.

    `empty`: maps without any positive value, whose shares count as 0.
    """

    method: str
    head: str
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    empty: int

    def as_json(self) -> dict[str, Any]:
        """The values beside the names, as flat as a table."""
        return {
            "method": self.method,
            "head": self.head,
            **self.values,
            "intervals": self.intervals,
            "empty": self.empty,
        }


@dataclass
class Results:
    """What was asked, and the marks of all pictures up to number `done`.

    `pairs`: method and head, in the order of each record's marks. With a `file` they are saved after every batch.
    """

    settings: dict[str, Any]
    pairs: Sequence[tuple[str, str]]
    done: int = 0
    seconds: float = 0.0
    records: list[dict[str, Any]] = field(default_factory=list)
    file: Path | None = None

    def save(self) -> None:
        """Writes the file in one go, so that a run that is killed leaves the state before or after a batch."""
        if self.file is None:
            return
        finished = bool(self.records) and self.done == self.settings["pictures"]
        summary = [row.as_json() for row in self.rows()] if finished else []
        told = {key: value for key, value in asdict(self).items() if key not in ("file", "records")}
        lines = ",\n".join(json.dumps(record) for record in self.records)
        text = json.dumps({**told, "rows": summary}, indent=1)
        with whole(self.file) as part:
            part.write_text(f'{text[:-2]},\n "records": [\n{lines}\n]}}\n', encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Results:
        """What `save` wrote; raises DatasetError on anything else."""
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            pairs = [(str(method), str(head)) for method, head in told["pairs"]]
            return cls(told["settings"], pairs, told["done"], told["seconds"], told["records"], file)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{file} is no result of this command ({type(error).__name__}: {error})") from None

    def goes_on(self) -> Results:
        """These results, or those in the file where it has been begun; DatasetError where it was asked otherwise."""
        if self.file is None or not self.file.exists():
            return self
        former = Results.read(self.file)
        mine = json.loads(json.dumps({**self.settings, "pairs": self.pairs}))
        theirs = {**former.settings, "pairs": [list(pair) for pair in former.pairs]}
        if other := [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]:
            told = "; ".join(f"{key} {theirs.get(key)} there, {mine.get(key)} here" for key in sorted(other))
            raise DatasetError(f"{self.file} was begun with other settings ({told}); name another file")
        return former

    def rows(self) -> list[Row]:
        """A row per method and head, then one per baseline."""
        labels = [int(record["label"]) for record in self.records]
        rows = []
        for place, (method, head) in enumerate(self.pairs):
            rows.append(self._row(method, head, [record["marks"][place] for record in self.records], labels))
        for name in BASELINES:
            rows.append(self._row(name, "none", [record["baselines"][name] for record in self.records], labels))
        return rows

    def _row(self, method: str, head: str, marks: list[Marks], labels: list[int]) -> Row:
        values, intervals = {}, {}
        for place, measure in enumerate(self.settings["measures"]):
            column = [mark[place] for mark in marks]
            if all(value is None for value in column) and head == "none":
                continue  # an even map points nowhere
            known = [float(value or 0.0) for value in column]
            if measure in self.settings["by_class"]:
                values[measure] = mean_of_classes(known, labels)
                intervals[measure] = bootstrap_interval_of_classes(known, labels, seed=0)
            else:
                values[measure], intervals[measure] = mean(known), bootstrap_interval(known, seed=0)
        empty = sum(None in mark for mark in marks) if head != "none" else 0
        return Row(method, head, values, intervals, empty)


def measure(
    classifier: Classifier,
    trials: Trials,
    methods: Sequence[str],
    heads: Sequence[str],
    *,
    aim: Aim = DEFAULT_AIM,
    batch: int = BATCH,
    file: Path | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    into: list[Results] | None = None,
) -> Results:
    """Marks of every map of every picture, `batch` pictures at a time.

    With `file`, what is there is kept and the run goes on behind it. `into` receives the results at the start, for
    callers that want what is there when the run is broken off. Raises AttributionError on unknown methods and heads,
    DatasetError where no picture can be judged, Cancelled before the next batch where `cancel` is set.
    """
    names = tuple(dict.fromkeys(find_method(method).name for method in methods))
    trained = tuple(dict.fromkeys(trained_head(classifier, head) for head in heads))
    pairs = [(name, head) for head in trained for name in names]
    results = Results(_settings(classifier, trials, aim), pairs, file=file).goes_on()
    if into is not None:
        into.append(results)
    for start in range(results.done, len(trials), batch):
        report(start, len(trials), progress, cancel)
        started = time.perf_counter()
        stop = min(start + batch, len(trials))
        part = trials.part(start, stop)
        found = _marks(classifier, part, names, trained, aim, cancel) if part else []
        for trial, marks in zip(part, found, strict=True):
            # The number as a seed: batches change nothing.
            seed = len(results.records)
            baselines = {name: list(trial.judge.baseline(name, seed)) for name in BASELINES}
            record = {"shows": list(trial.shows), "label": trial.label, "marks": marks, "baselines": baselines}
            results.records.append(record)
        results.done, results.seconds = stop, results.seconds + time.perf_counter() - started
        results.save()
    report(len(trials), len(trials), progress, cancel)
    if not results.records:
        raise DatasetError(f"none of the {len(trials)} images has a box in the part that the network sees")
    return results


def _settings(classifier: Classifier, trials: Trials, aim: Aim) -> dict[str, Any]:
    return {
        "checkpoint": classifier.checkpoint.name,
        "sha256": classifier.checkpoint.sha256,
        "precision": classifier.precision,
        "kind": trials.kind,
        "measures": list(trials.measures),
        "by_class": list(trials.by_class),
        "pictures": len(trials),
        "aim": aim,
        **trials.settings(),
    }


def _marks(
    classifier: Classifier,
    part: Sequence[Trial],
    names: Sequence[str],
    heads: Sequence[str],
    aim: Aim,
    cancel: threading.Event | None,
) -> list[list[list[float | None]]]:
    """Per picture, per head and method: the marks."""
    x = torch.cat([trial.x for trial in part])
    found: list[list[list[float | None]]] = [[] for _ in part]
    for head in heads:
        classes = [trial.label for trial in part] if aim == "true" else _answers(classifier, x, head)
        maps = heatmaps(classifier, x, names, head, classes, published=True, cancel=cancel)
        for name in names:
            for marks, trial, heatmap in zip(found, part, maps[name], strict=True):
                marks.append(list(trial.judge.of(heatmap)))
    return found


def _answers(classifier: Classifier, x: Tensor, head: str) -> list[int]:
    with torch.inference_mode():
        logits = classifier.network.head_logits(classifier.to_input(x), head)
    answers: list[int] = logits.argmax(1).tolist()
    return answers
