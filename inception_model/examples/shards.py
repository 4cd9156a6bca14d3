"""A shard: what is measured of some consecutive images, the same wherever it is computed, as tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from ..architecture.spec import HeadName
from ..images.decode import ImageError
from ..inference.classifier import Classifier
from ..progress import Progress, report
from ..training.data import LabelledImages
from ..training.evaluation import BATCH
from ..training.fingerprint import image_name
from .observing import Observed, observe
from .strongest import NOBODY, Strongest, merged, strongest

SHARD = 128
"""Images of a shard: a run that is killed looks again at so many at most."""
KEPT = 9
"""Images that are kept of every channel and kind."""
TOP = 5
"""Classes that are kept of every head."""

Kind = Literal["activation", "relevance"]
KINDS: tuple[Kind, ...] = ("activation", "relevance")
"""What images are ordered by: the largest activation, or the sum of activation times gradient of main's first class."""


@dataclass(frozen=True)
class Shard:
    """What was measured of some images. `images`: a row each, those that can't be decoded with their error alone.
    `strongest`: a row per channel, kind and rank. `sums`: a row per channel, over the images that were decoded."""

    images: pa.Table
    strongest: pa.Table
    sums: pa.Table

    def tables(self) -> dict[str, pa.Table]:
        """By the names of their files."""
        return {"images": self.images, "strongest": self.strongest, "sums": self.sums}


TABLES = ("images", "strongest", "sums")


def shards_of(count: int) -> list[range]:
    """Which images belong to each shard."""
    return [range(start, min(start + SHARD, count)) for start in range(0, count, SHARD)]


def measure(
    classifier: Classifier,
    images: LabelledImages,
    root: Path,
    numbers: range,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Shard:
    """Looks at the images of those numbers; what can't be decoded is recorded with its error."""
    rows: list[dict[str, Any]] = []
    lots: dict[Kind, list[Strongest]] = {kind: [] for kind in KINDS}
    means: list[np.ndarray] = []
    for decoded in _batches(classifier, images, root, numbers, rows):
        report(len(rows) - len(decoded), len(numbers), progress, cancel)
        found = observe(classifier, torch.cat([x for _, x in decoded]))
        places = [place for place, _ in decoded]
        for place, told in zip(places, _told(classifier, found), strict=True):
            rows[place] |= told
        seen = [rows[place]["image"] for place in places]
        for kind in KINDS:
            lots[kind].append(strongest(seen, getattr(found, kind), KEPT))
        means.append(found.means.astype(np.float64).sum(axis=0))
    best = {kind: merged(found, KEPT) for kind, found in lots.items() if found}
    table = pa.Table.from_pylist(rows, schema=image_schema(classifier.trained_heads))
    total = means and np.sum(means, axis=0)
    sums = pa.table({"mean": pa.array([] if not means else total, pa.float64())})
    return Shard(table, strongest_table(best), sums)


def _batches(
    classifier: Classifier, images: LabelledImages, root: Path, numbers: range, rows: list[dict[str, Any]]
) -> Iterator[list[tuple[int, torch.Tensor]]]:  # fmt: skip
    """Adds a row for each image; yields (its place among the rows, its input) of those that can be decoded."""
    decoded: list[tuple[int, torch.Tensor]] = []
    for number in numbers:
        row = {"image": number, "name": image_name(images.encoded[number], number, root)}
        row["label"] = int(images.labels[number])
        try:
            photo = images.photo(number)
        except ImageError as error:
            row["error"] = str(error)
        else:
            row["width"], row["height"] = photo.size
            decoded.append((len(rows), classifier.preprocessing(photo.image)))
        rows.append(row)
        if len(decoded) == BATCH:
            yield decoded
            decoded = []
    if decoded:
        yield decoded


def _told(classifier: Classifier, found: Observed) -> list[dict[str, Any]]:
    """Of each image of a batch: peaks, features, and what the trained heads answer."""
    told: list[dict[str, Any]] = [
        {"peaks": peaks, "features": features}
        for peaks, features in zip(found.activation.values, found.features, strict=True)
    ]
    for head in classifier.trained_heads:
        logits = found.heads.of(head)
        order = logits.argsort(dim=1, descending=True, stable=True)[:, :TOP]
        shares = classifier.probabilities(logits, head).gather(1, order)
        for row, classes, probabilities in zip(told, order.numpy(), shares.numpy(), strict=True):
            row |= {f"{head}_classes": classes, f"{head}_probabilities": probabilities}
    return told


def image_schema(heads: Sequence[HeadName], *, peaks: bool = True) -> pa.Schema:
    """A row per image: `peaks`, each channel's largest activation; `features`, the last module's averages."""
    fields = [
        pa.field("image", pa.int32()), pa.field("name", pa.string()), pa.field("label", pa.int32()),
        pa.field("width", pa.int32()), pa.field("height", pa.int32()), pa.field("error", pa.string()),
    ]  # fmt: skip
    for head in heads:
        fields.append(pa.field(f"{head}_classes", pa.list_(pa.int32())))
        fields.append(pa.field(f"{head}_probabilities", pa.list_(pa.float32())))
    fields.append(pa.field("features", pa.list_(pa.float32())))
    return pa.schema([*fields, pa.field("peaks", pa.list_(pa.float32()))] if peaks else fields)


def strongest_table(best: Mapping[Kind, Strongest]) -> pa.Table:
    """A row per kind, channel and rank, in that order; without ranks that no image has."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _TYPES}
    for number, kind in enumerate(KINDS):
        if kind not in best:
            continue
        found = best[kind]
        ranks, units = found.images.shape
        there = found.images.T != NOBODY
        columns["kind"].append(np.full(int(there.sum()), number))
        columns["channel"].append(np.broadcast_to(np.arange(units)[:, None], (units, ranks))[there])
        columns["rank"].append(np.broadcast_to(np.arange(ranks), (units, ranks))[there])
        for name, values in (("image", found.images), ("value", found.values), ("row", found.rows)):
            columns[name].append(values.T[there])
        columns["column"].append(found.columns.T[there])
    return pa.table(
        {name: pa.array(np.concatenate(parts) if parts else [], _TYPES[name]) for name, parts in columns.items()}
    )


_TYPES = {
    "kind": pa.int8(), "channel": pa.int32(), "rank": pa.int8(), "image": pa.int32(), "value": pa.float32(),
    "row": pa.int16(), "column": pa.int16(),
}  # fmt: skip


def read_strongest(table: pa.Table, kind: Kind, units: int) -> Strongest:
    """What `strongest_table` made a table of, of one kind."""
    columns = {name: table.column(name).to_numpy() for name in _TYPES}
    own = columns["kind"] == KINDS.index(kind)
    at = columns["rank"][own], columns["channel"][own]
    shape = (KEPT, units)
    found = Strongest(
        np.full(shape, NOBODY, np.int32), np.zeros(shape, np.float32), np.zeros(shape, np.int16),
        np.zeros(shape, np.int16),
    )  # fmt: skip
    for name, into in (("image", found.images), ("value", found.values), ("row", found.rows)):
        into[at] = columns[name][own]
    found.columns[at] = columns["column"][own]
    return found


def lists(column: pa.ChunkedArray, dtype: type) -> np.ndarray:
    """A column of lists of one length, nulls left out -> (n, length)."""
    whole = column.combine_chunks().drop_null()
    count = len(whole)
    return np.asarray(whole.flatten().to_numpy(), dtype=dtype).reshape(count, -1) if count else np.empty((0, 0), dtype)
