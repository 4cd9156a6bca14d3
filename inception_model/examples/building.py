"""`build_index`: every image once, shard by shard, into a folder that can go on later; then the finished tables."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..architecture.labels import Label
from ..inference.classifier import Classifier
from ..progress import Progress, report
from ..training.data import DatasetError, LabelledImages, Split, open_dataset
from ..training.evaluation import BATCH
from ..training.fingerprint import data_hash
from .channels import channels_of
from .folder import IndexFolder, IndexFolderError, Manifest, Summary
from .sample import Sample, sampled
from .shards import (
    KEPT,
    KINDS,
    SHARD,
    Kind,
    Shard,
    image_schema,
    lists,
    measure,
    read_strongest,
    shards_of,
    strongest_table,
)
from .strongest import Strongest, merged

SHARES = tuple(sorted({*np.linspace(0, 1, 101).round(2), *np.linspace(0.99, 1, 11).round(3), 0.9995, 0.9999}))
"""Which quantiles of the images' peaks are kept: each per cent, and finer where only few images answer more."""
ENGINES = ("local", "ray")
"""Where shards are computed: in this process, or by the workers of a Ray cluster."""
DEFAULT_ENGINE = "local"

Engine = Callable[[Mapping[int, range]], Iterator[tuple[int, Shard]]]
"""Number of each shard and its images -> (number, shard), in any order."""


@dataclass(frozen=True)
class Data:
    """Images as they are named: a folder, its split, and how many of it, evenly spread (all with None)."""

    root: Path
    split: Split
    limit: int | None = None

    def open(self, classes: Sequence[Label]) -> LabelledImages:
        """The images, labelled with these classes; raises DatasetError where there are none."""
        images = open_dataset(self.root, self.split, classes).spread(self.limit)
        if not len(images):
            raise DatasetError(f"{self.root} has no {self.split} images")
        return images


def manifest_of(classifier: Classifier, images: LabelledImages, data: Data) -> Manifest:
    """What an index of these images says of itself."""
    checkpoint = classifier.checkpoint
    preprocessing = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(checkpoint.preprocessing).items()}
    settings: dict[str, Any] = {
        "split": data.split, "limit": data.limit, "precision": classifier.precision, "heads": checkpoint.identity,
        "temperatures": dict(checkpoint.temperatures), "preprocessing": preprocessing, "batch": BATCH, "shard": SHARD,
        "kept": KEPT,
    }  # fmt: skip
    source = f"{data.root.resolve().name}, {data.split}"
    return Manifest(checkpoint.sha256, checkpoint.name, data_hash(images, data.root), source, len(images), settings)


def build_index(
    classifier: Classifier,
    data: Data,
    out: Path,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> IndexFolder:
    """Looks at the images that the folder has no shard of, then makes its tables; returns the folder.

    `engine`: who measures shards (default: this process). `progress` counts images; setting `cancel` raises Cancelled
    before the next batch. Raises IndexFolderError where the folder holds another index or the disk is full,
    DatasetError without images.
    """
    images = data.open(classifier.checkpoint.labels)
    folder = IndexFolder(out)
    folder.begin(manifest_of(classifier, images, data))
    if folder.summary() is not None:
        report(len(images), len(images), progress, cancel)
        return folder
    parts, done = shards_of(len(images)), folder.done()
    seen = sum(len(parts[number]) for number in done)
    report(seen, len(images), progress, cancel)
    missing = {number: part for number, part in enumerate(parts) if number not in done}

    def within(looked: int, _: int) -> None:
        report(seen + looked, len(images), progress, cancel)

    for number, shard in (engine or local(classifier.twin(), images, data.root, within, cancel))(missing):
        folder.write_shard(number, shard)
        seen += len(parts[number])
        report(seen, len(images), progress, cancel)
    _finish(folder, classifier, len(parts))
    return folder


def local(
    classifier: Classifier, images: LabelledImages, root: Path, progress: Progress, cancel: threading.Event | None
) -> Engine:
    """Shards one after the other, in this process, with as many threads as torch has; `progress` counts the images of
    each."""

    def measured(parts: Mapping[int, range]) -> Iterator[tuple[int, Shard]]:
        for number, part in parts.items():
            yield number, measure(classifier, images, root, part, progress, cancel)

    return measured


def _finish(folder: IndexFolder, classifier: Classifier, count: int) -> None:
    """The finished tables from all shards, in their order: `images`, `examples`, `channels`, `sample`."""
    channels = channels_of(classifier.checkpoint.spec)
    schema = image_schema(classifier.trained_heads, peaks=False)
    lots: dict[Kind, list[Strongest]] = {kind: [] for kind in KINDS}
    images, peaks, sums = [], [], np.zeros(channels.total)
    for number in range(count):
        shard = folder.read_shard(number)
        images.append(shard.images.select(schema.names))
        if len(shard.sums):
            peaks.append(lists(shard.images.column("peaks"), np.float32))
            sums += shard.sums.column("mean").to_numpy()
        for kind in KINDS:
            lots[kind].append(read_strongest(shard.strongest, kind, channels.total))
    table = pa.concat_tables(images)
    used = sum(map(len, peaks))
    if not used:
        errors = table.column("error").to_pylist()
        raise IndexFolderError(f"none of the {len(table)} images can be decoded; the first one: {errors[0]}")
    best = {kind: merged(found, KEPT) for kind, found in lots.items()}
    folder.write_table("images", table)
    folder.write_table("examples", _examples(classifier, table, best))
    every = np.concatenate(peaks)
    folder.write_table("channels", _channel_table(classifier, every, sums / used))
    decoded = table.column("image").to_numpy()[table.column("error").is_null().to_numpy()].astype(np.int32)
    folder.write_table("sample", _sample_table(sampled(classifier.checkpoint.spec, decoded, every)))
    broken = [[row["name"], row["error"]] for row in table.select(["name", "error"]).to_pylist() if row["error"]]
    folder.write_summary(Summary(used, broken))


def _examples(classifier: Classifier, images: pa.Table, best: Mapping[Kind, Strongest]) -> pa.Table:
    """The strongest images of every channel, with the box of the photo that the position sees."""
    channels, preprocessing = channels_of(classifier.checkpoint.spec), classifier.preprocessing
    table = strongest_table(best)
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    wide, high = (images.column(name).to_numpy(zero_copy_only=False) for name in ("width", "height"))
    sides = np.empty((len(table), 4), dtype=np.float32)
    for place, lane in channels.lanes.items():
        own = (columns["channel"] >= lane.start) & (columns["channel"] < lane.stop)
        for at in np.flatnonzero(own):
            size = int(wide[columns["image"][at]]), int(high[columns["image"][at]])
            row, column = int(columns["row"][at]), int(columns["column"][at])
            box = channels.box(place, row, column, preprocessing, size)
            sides[at] = box.left, box.top, box.right, box.bottom
    kinds = pa.DictionaryArray.from_arrays(pa.array(columns["kind"], pa.int8()), pa.array(KINDS))
    table = table.set_column(0, "kind", kinds)
    for name, values in zip(("left", "top", "right", "bottom"), sides.T, strict=True):
        table = table.append_column(name, pa.array(values))
    return table


def _sample_table(sample: Sample) -> pa.Table:
    """A row per image of the sample."""
    flat = pa.array(sample.peaks.ravel())
    return pa.table({"image": sample.images, "peaks": pa.FixedSizeListArray.from_arrays(flat, sample.peaks.shape[1])})


def _channel_table(classifier: Classifier, peaks: np.ndarray, means: np.ndarray) -> pa.Table:
    """A row per channel: its place and number there, its mean activation, the share of images that it does not answer
    at all, and quantiles of the images' peaks."""
    channels = channels_of(classifier.checkpoint.spec)
    quantiles = np.concatenate(
        [np.quantile(peaks[:, lane], SHARES, axis=0).T for lane in channels.lanes.values()]
    ).astype(np.float32)
    names = [
        (str(place), channel) for place, lane in channels.lanes.items() for channel in range(lane.stop - lane.start)
    ]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(quantiles.ravel()), len(SHARES))
    return pa.table({
        "place": [place for place, _ in names], "channel": pa.array([number for _, number in names], pa.int32()),
        "mean": pa.array(means.astype(np.float32)), "silent": pa.array((peaks <= 0).mean(axis=0, dtype=np.float32)),
        "quantiles": flat,
    })  # fmt: skip
