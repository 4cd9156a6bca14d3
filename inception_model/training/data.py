"""Labelled images for training and evaluation: Parquet shards, or a folder per class (ImageFolder)."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from ..architecture.labels import Label

Split = Literal["train", "validation"]
_FOLDERS: dict[Split, tuple[str, ...]] = {"train": ("train",), "validation": ("validation", "val")}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class DatasetError(ValueError):
    """The data are not in one of the two layouts; the message says what was found and what is expected."""


class LabelledImages(Sequence[tuple[Image.Image, int]]):
    """Images with labels, decoded on access. `boxes` is (n, 4) [x0, y0, x1, y1] in pixels, or None.

    `encoded` holds either the bytes of each image or the path of its file.
    """

    def __init__(self, encoded: Sequence[bytes | Path], labels: np.ndarray, boxes: np.ndarray | None = None) -> None:
        self.encoded = encoded
        self.labels = labels
        self.boxes = boxes

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:  # type: ignore[override]
        source = self.encoded[index]
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return image.convert("RGB"), int(self.labels[index])

    def first(self, count: int | None) -> LabelledImages:
        """The first `count` images (all with None)."""
        boxes = None if self.boxes is None else self.boxes[:count]
        return LabelledImages(self.encoded[:count], self.labels[:count], boxes)

    def spread(self, count: int | None) -> LabelledImages:
        """`count` images at even distances (all with None), so that data sorted by class give all classes."""
        if count is None or count >= len(self):
            return self
        return self.take([number * len(self) // count for number in range(count)])

    def first_of_each(self, count: int | None) -> LabelledImages:
        """The first `count` images of every class, in their order (all with None)."""
        if count is None:
            return self
        seen: Counter[int] = Counter()
        chosen = []
        for index, label in enumerate(self.labels.tolist()):
            seen[label] += 1
            if seen[label] <= count:
                chosen.append(index)
        return self.take(chosen)

    def take(self, indices: Sequence[int]) -> LabelledImages:
        """The images at those places, in that order."""
        chosen = list(indices)
        boxes = None if self.boxes is None else self.boxes[chosen]
        return LabelledImages([self.encoded[i] for i in chosen], self.labels[chosen], boxes)


def open_dataset(root: Path, split: Split) -> LabelledImages:
    """One split of the data under `root`, in either layout.

    Parquet: `{split}-*.parquet` with columns image (struct with bytes), label and, optionally, bbox.
    Folder: `{split}/CLASS/*.jpg` (or `val/`), or `CLASS/*.jpg` directly below `root`.
    """
    if not root.is_dir():
        raise DatasetError(f"no such folder: {root}")
    shards = sorted(root.glob(f"{split}-*.parquet"))
    if shards:
        return _from_parquet(shards)
    return _from_folder(_split_folder(root, split), split)


def _split_folder(root: Path, split: Split) -> Path:
    """The split's own folder; `root` itself where the data are not split."""
    found = {name: [root / f for f in folders if (root / f).is_dir()] for name, folders in _FOLDERS.items()}
    if found[split]:
        return found[split][0]
    if any(found.values()):
        raise DatasetError(f"{root} has no {split} images (looked for {split}-*.parquet and {split}/)")
    return root


def _from_parquet(shards: list[Path]) -> LabelledImages:
    encoded: list[bytes | Path] = []
    labels: list[np.ndarray] = []
    boxes: list[np.ndarray] = []
    for shard in shards:
        table = pq.read_table(shard)
        missing = {"image", "label"} - set(table.column_names)
        if missing:
            raise DatasetError(f"{shard.name} has columns {table.column_names}; missing: {', '.join(sorted(missing))}")
        encoded.extend(row["bytes"] for row in table.column("image").to_pylist())
        labels.append(table.column("label").to_numpy().astype(np.int64))
        if "bbox" in table.column_names:
            boxes.append(np.asarray(table.column("bbox").to_pylist(), dtype=np.float32))
    return LabelledImages(encoded, np.concatenate(labels), np.concatenate(boxes) if boxes else None)


def _from_folder(folder: Path, split: Split) -> LabelledImages:
    classes = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    encoded: list[bytes | Path] = []
    labels: list[int] = []
    for index, directory in enumerate(classes):
        files = sorted(f for f in directory.rglob("*") if f.suffix.lower() in _SUFFIXES)
        encoded.extend(files)
        labels.extend([index] * len(files))
    if not encoded:
        raise DatasetError(
            f"{folder} holds neither {split}-*.parquet nor images in a folder per class "
            f"(found: {', '.join(sorted(p.name for p in folder.iterdir())[:6]) or 'nothing'})"
        )
    return LabelledImages(encoded, np.asarray(labels, dtype=np.int64))


def read_labels(root: Path) -> tuple[Label, ...]:
    """The classes in index order: from `classes.tsv` (label, wnid, words), else from the class folders' names."""
    table = root / "classes.tsv"
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        return tuple(Label(int(row["label"]), row["wnid"], row["words"]) for row in rows)
    folders = [root / name for names in _FOLDERS.values() for name in names]
    folder = next((f for f in folders if f.is_dir()), root)
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if not names:
        raise DatasetError(f"{root} holds neither classes.tsv nor a folder per class")
    return tuple(Label(i, name, name) for i, name in enumerate(names))
