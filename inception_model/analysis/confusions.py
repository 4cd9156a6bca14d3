"""Which classes a head takes for which: counted over labelled images, in a small JSON beside the checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..architecture.spec import HEADS, HeadName
from ..checkpoints.belonging import require_made_for
from ..checkpoints.checkpoint import Checkpoint, CheckpointError
from ..checkpoints.messages import reason
from ..checkpoints.store import beside
from ..drawing.numbers import short
from ..whole_file import whole

FORMAT = "inceptionscope-confusions-1"
SUFFIX = "confusions.json"
MAX_BYTES = 8 << 20
"""A file of a thousand classes and three heads has about one megabyte."""

MAX_CLASSES = 2048

Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Pair:
    """Two classes that a head takes for each other: how many images of `first` it called `second`, and the other way.

    `first` is the one that is mistaken more often.
    """

    first: int
    second: int
    there: int
    back: int

    @property
    def count(self) -> int:
        """Mistakes in both directions."""
        return self.there + self.back


@dataclass(frozen=True, eq=False)
class Confusions:
    """What each trained head says first about labelled images.

    `sha256`: of the checkpoint's file. `heads`: head -> (K, K) counts, rows are the true classes, columns what was
    said. `split`, `data`: which images they were.
    """

    sha256: str
    heads: dict[HeadName, Counts] = field(repr=False)
    split: str
    data: str

    @property
    def images(self) -> int:
        """How many images were looked at."""
        return int(next(iter(self.heads.values())).sum())

    def per_class(self) -> NDArray[np.int64]:
        """(K,): images of every class."""
        return next(iter(self.heads.values())).sum(axis=1)  # type: ignore[no-any-return]

    def top1(self, head: HeadName) -> list[float | None]:
        """The share of every class's images that the head names; None for a class without images."""
        right, images = self.heads[head].diagonal().tolist(), self.per_class().tolist()
        return [hits / count if count else None for hits, count in zip(right, images, strict=True)]

    def taken_for(self, head: HeadName, index: int) -> tuple[int, int] | None:
        """What a class is most often taken for, and how often; None where that never happens."""
        row = self.heads[head][index].copy()
        row[index] = 0
        other = int(row.argmax())
        return (other, int(row[other])) if row[other] else None

    def pairs(self, head: HeadName, count: int | None = None) -> tuple[Pair, ...]:
        """The pairs most often taken for each other, most often first (all with None)."""
        counts = self.heads[head]
        both = np.triu(counts + counts.T, 1)
        places = np.argwhere(both)
        order = np.argsort(-both[tuple(places.T)], kind="stable")
        found = []
        for first, second in places[order][:count].tolist():
            if counts[second, first] > counts[first, second]:
                first, second = second, first
            found.append(Pair(first, second, int(counts[first, second]), int(counts[second, first])))
        return tuple(found)


class Tally:
    """Counts while images are evaluated: `tally(head, logits, labels)` after each batch (`evaluate_network`)."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.heads: dict[HeadName, Counts] = {}

    def __call__(self, head: HeadName, logits: Tensor, labels: Tensor) -> None:
        """Adds a batch: logits (n, K) and true classes (n,)."""
        counts = self.heads.setdefault(head, np.zeros((self.classes, self.classes), dtype=np.int32))
        # The first of topk, as accuracy counts it: argmax may choose another of equal logits.
        said = logits.topk(1).indices[:, 0]
        np.add.at(counts, (labels.numpy(), said.numpy()), 1)


SHOWN = 12
"""Rows of each table of a card."""


def markdown(found: Confusions, checkpoint: Checkpoint, head: HeadName | None = None) -> list[str]:
    """Two tables for a model card: the pairs most often confused, and the best and worst classes (of main)."""
    head = head or list(found.heads)[-1]
    names = [short(checkpoint.label(index).words).replace("|", "/") for index in range(checkpoint.spec.classes)]
    pairs = [f"| {names[p.first]} | {names[p.second]} | {p.there} | {p.back} |" for p in found.pairs(head, SHOWN)]
    rated = [(share, index) for index, share in enumerate(found.top1(head)) if share is not None]
    best = sorted(rated, key=lambda row: (-row[0], row[1]))[:SHOWN]
    worst = sorted(rated)[:SHOWN]
    return [
        f"{found.images:,} images ({found.split}), {head}'s first answers.",
        "",
        "| class | and | taken for it | the other way |",
        "| --- | --- | ---: | ---: |",
        *pairs,
        "",
        "| best class | top-1 | worst class | top-1 | most often taken for |",
        "| --- | ---: | --- | ---: | --- |",
        *(
            f"| {names[good]} | {high:.0%} | {names[bad]} | {low:.0%} | {_mistake(found, head, bad, names)} |"
            for (high, good), (low, bad) in zip(best, worst, strict=True)
        ),
    ]


def _mistake(found: Confusions, head: HeadName, index: int, names: list[str]) -> str:
    mistake = found.taken_for(head, index)
    return "–" if mistake is None else f"{names[mistake[0]]} ({mistake[1]})"


def confusions_path(name_or_path: str | Path) -> Path:
    """Where a checkpoint's confusions lie: `NAME.confusions.json` beside its file."""
    return beside(name_or_path, SUFFIX)


def save_confusions(found: Confusions, path: Path) -> None:
    """Writes the counts that are not zero as [true, said, count]; the file is there completely or not at all."""
    heads = {
        head: [[int(row), int(column), int(counts[row, column])] for row, column in np.argwhere(counts)]
        for head, counts in found.heads.items()
    }
    content = {
        "format": FORMAT, "checkpoint": found.sha256, "split": found.split, "data": found.data,
        "classes": len(found.per_class()), "heads": heads,
    }  # fmt: skip
    with whole(path) as part:
        part.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def load_confusions(path: Path, checkpoint: Checkpoint) -> Confusions:
    """The counts in a file, which is untrusted and must be of this checkpoint; raises CheckpointError if not."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path.stat().st_size:,} bytes; the limit is {MAX_BYTES:,}")
        return _parsed(path.read_text(encoding="utf-8"), checkpoint)
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"the confusions in {path.name} can't be used: {error}") from error


def _parsed(text: str, checkpoint: Checkpoint) -> Confusions:
    try:
        raw: dict[str, Any] = json.loads(text)
        if raw["format"] != FORMAT:
            raise ValueError("it is of another format")
        sha256, classes = str(raw["checkpoint"]), checkpoint.spec.classes
    except Exception as error:  # whatever the file's text lacks is the file's fault
        raise CheckpointError(
            f"it is no file of confusions ({reason(error)}); `evaluate --confusions` writes one"
        ) from error
    require_made_for(checkpoint, sha256, "they were counted with", "count anew with `evaluate --confusions`")
    if classes > MAX_CLASSES:
        raise CheckpointError(f"{classes:,} classes; confusions are kept of at most {MAX_CLASSES:,}")
    try:
        heads = {head: _counts(raw["heads"][head], classes) for head in HEADS if head in raw["heads"]}
        if set(heads) != set(raw["heads"]) or not set(heads) <= set(checkpoint.heads_trained) or not heads:
            raise ValueError(f"counts of the trained heads {', '.join(checkpoint.heads_trained)} are expected")
        totals = {counts.sum(axis=1).tobytes() for counts in heads.values()}
        if len(totals) > 1 or not next(iter(heads.values())).any():
            raise ValueError("the heads must have looked at the same images")
        return Confusions(sha256, heads, str(raw["split"])[:20], str(raw["data"])[:80])
    except Exception as error:  # as above
        raise CheckpointError(f"the file is damaged ({reason(error)}): write it anew") from error


def _counts(rows: list[list[int]], classes: int) -> Counts:
    counts = np.zeros((classes, classes), dtype=np.int32)
    for row in rows:
        if len(row) != 3 or any(type(number) is not int for number in row):
            raise ValueError("a count is [true class, said class, number]")
        true, said, number = row
        if not (0 <= true < classes and 0 <= said < classes and 0 < number < 1 << 24):
            raise ValueError(f"a count lies outside of {classes} classes or is none")
        if counts[true, said]:
            raise ValueError("a pair is counted twice")
        counts[true, said] = number
    return counts
