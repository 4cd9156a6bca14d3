"""Labelled images for training and evaluation: Parquet shards, or a folder per class (ImageFolder)."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from ..architecture.labels import Label
from ..images.decode import Photo, open_photo, read_photo

Split = Literal["train", "validation"]
_FOLDERS: dict[Split, tuple[str, ...]] = {"train": ("train",), "validation": ("validation", "val")}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class DatasetError(ValueError):
    """The data are not in one of the two layouts; the message says what was found and what is expected."""


class LabelledImages(Sequence[tuple[Image.Image, int]]):
    """Images with labels, decoded on access. `boxes` is (n, 4) [x0, y0, x1, y1] in pixels, or None.

    `encoded` holds either the bytes of each image or the path of its file. `numbers`: each one's place in the data that
    it was taken from, by which errors name it.
    """

    def __init__(
        self,
        encoded: Sequence[bytes | Path],
        labels: np.ndarray,
        boxes: np.ndarray | None = None,
        numbers: Sequence[int] | None = None,
    ) -> None:
        self.encoded = encoded
        self.labels = labels
        self.boxes = boxes
        self.numbers = range(len(encoded)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:  # type: ignore[override]
        return self.photo(index).image, int(self.labels[index])

    def photo(self, index: int) -> Photo:
        """An image as uploaded photos are decoded: upright sRGB; raises ImageError that names it."""
        source = self.encoded[index]
        return open_photo(source) if isinstance(source, Path) else read_photo(source, f"image {self.numbers[index]}")

    def first(self, count: int | None) -> LabelledImages:
        """The first `count` images (all with None)."""
        return self if count is None else self.take(range(len(self))[:count])

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
        numbers = [self.numbers[i] for i in chosen]
        return LabelledImages([self.encoded[i] for i in chosen], self.labels[chosen], boxes, numbers)


def open_dataset(root: Path, split: Split, classes: Sequence[Label] | None = None) -> LabelledImages:
    """One split of the data under `root`, in either layout, its labels indices into `classes`.

    `classes`: of the network that is asked about the images, found again by their WordNet ids (or folder names);
    without them, those that `read_labels` gives. A split need not have images of every class; a class that is not
    among `classes` raises DatasetError.

    Parquet: `{split}-*.parquet` with columns image (struct with bytes), label and, optionally, bbox.
    Folder: `{split}/CLASS/*.jpg` (or `val/`), or `CLASS/*.jpg` directly below `root`.
    """
    if not root.is_dir():
        raise DatasetError(f"no such folder: {root}")
    shards = sorted(root.glob(f"{split}-*.parquet"))
    if not shards:
        folder = _split_folder(root, split)
        return _from_folder(folder, split, _indices(root, classes or read_labels(root)))
    images = _from_parquet(shards)
    if not len(images):
        raise DatasetError(f"{root} has no {split} images: {', '.join(s.name for s in shards[:3])} without a row")
    if classes is None:
        return images
    own = read_labels(root)
    if outside := sorted(set(images.labels.tolist()) - set(range(len(own)))):
        raise DatasetError(f"labels {outside[:3]} are not among the {len(own)} classes that {root} names")
    known = _indices(root, classes)
    used = np.unique(images.labels)
    if strange := [own[index].wnid for index in used if own[index].wnid not in known]:
        raise _strangers(strange, len(known))
    to = np.array([known.get(label.wnid, -1) for label in own])
    return LabelledImages(images.encoded, to[images.labels], images.boxes)


def _indices(root: Path, classes: Sequence[Label]) -> dict[str, int]:
    """Class id (WordNet id or folder name) -> index."""
    found = {label.wnid: label.index for label in classes}
    if len(found) < len(classes):
        raise DatasetError(
            f"{len(classes)} classes have only {len(found)} different ids: {root} can't be matched to them"
        )
    return found


def _strangers(names: Sequence[str], known: int) -> DatasetError:
    listed = f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
    return DatasetError(
        f"{len(names)} classes of the data ({listed}) are not among the {known} that the images are labelled with: "
        "all classes must be the network's own"
    )


def _split_folder(root: Path, split: Split) -> Path:
    """The split's own folder; `root` itself where the data are not split."""
    found = {name: [root / f for f in folders if (root / f).is_dir()] for name, folders in _FOLDERS.items()}
    if found[split]:
        return found[split][0]
    if any(found.values()):
        there = ", ".join(name for name, folders in found.items() if folders)
        raise DatasetError(
            f"{root} has no {split} images (looked for {split}-*.parquet and {split}/); it has a split of its own only "
            f"for {there}: ask for that one, or add a folder {split}/"
        )
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


def _from_folder(folder: Path, split: Split, indices: Mapping[str, int]) -> LabelledImages:
    encoded: list[bytes | Path] = []
    labels: list[int] = []
    strangers: list[str] = []
    for directory in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        files = sorted(f for f in directory.rglob("*") if f.suffix.lower() in _SUFFIXES)
        if files and directory.name not in indices:
            strangers.append(directory.name)
            continue
        encoded.extend(files)
        labels.extend([indices[directory.name]] * len(files) if files else [])
    if strangers:
        raise _strangers(strangers, len(indices))
    if not encoded:
        raise DatasetError(
            f"{folder} holds neither {split}-*.parquet nor images in a folder per class "
            f"(found: {', '.join(sorted(p.name for p in folder.iterdir())[:6]) or 'nothing'})"
        )
    return LabelledImages(encoded, np.asarray(labels, dtype=np.int64))


def read_labels(root: Path) -> tuple[Label, ...]:
    """The classes in index order: from `classes.tsv` (label, wnid, words), else the class folders' names, sorted.

    Folders of all splits count, so that a split that lacks a class numbers the others as the others do.
    """
    table = root / "classes.tsv"
    if table.is_file():
        with table.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        return tuple(Label(int(row["label"]), row["wnid"], row["words"]) for row in rows)
    folders = [root / name for names in _FOLDERS.values() for name in names]
    present = [folder for folder in folders if folder.is_dir()] or [root]
    names = sorted({entry.name for folder in present for entry in folder.iterdir() if entry.is_dir()})
    if not names:
        raise DatasetError(f"{root} holds neither classes.tsv nor a folder per class")
    return tuple(Label(i, name, name) for i, name in enumerate(names))
