"""Localisation: does a map point at the object? Measured on labelled images whose objects are boxed.

Two measures: the pointing game (Zhang et al. 2016), and the share of positive attribution inside the box (Wang et al.
2020, "energy"). Beside them stands what needs no network: the image's centre, and the box's share of the area.
"""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..architecture.spec import HeadName
from ..attribution.batched import enlarged, heatmaps
from ..attribution.explaining import find_method, trained_head
from ..images.geometry import Box
from ..images.preprocessing import Preprocessing
from ..inference.classifier import Classifier
from ..progress import Progress, report
from ..training.data import DatasetError, LabelledImages
from ..training.evaluation import BATCH

TOLERANCE = 15.0
"""Pixels of the network's image by which the maximum may miss the box and still count as a hit."""

METHODS = ("saliency", "gradcam", "input_x_gradient", "guided_backprop")
"""The methods that are measured when none is named."""

Aim = Literal["true", "predicted"]


@dataclass(frozen=True)
class Row:
    """One method at one head. `pointing`: share of hits, mean of the rates per class; `energy`: mean share of the
    positive attribution inside the box; `empty`: images whose map has no positive value (their energy counts as 0)."""

    method: str
    head: HeadName
    pointing: float
    energy: float
    empty: int


@dataclass(frozen=True)
class Localization:
    """Rows for methods and heads over `images` images of `classes` classes. `centre`: the pointing rate of the image's
    centre; `area`: mean share of the image that its box covers, which is the energy of a map that is the same
    everywhere. `left_out`: images whose box lies outside of what the network sees."""

    rows: tuple[Row, ...]
    centre: float
    area: float
    images: int
    classes: int
    left_out: int
    aim: Aim
    tolerance: float
    seconds: float


@dataclass(frozen=True)
class Mark:
    """What one map did on one image: whether its maximum hit, and the energy inside (None: nothing is positive).

    A map that is the same everywhere points nowhere and misses.
    """

    hit: bool
    energy: float | None

    @classmethod
    def of(cls, heatmap: Tensor, box: Box, side: int) -> Mark:
        """A map (h, w) of an image of that side, and a box in the image's pixels."""
        points = float(heatmap.max()) > float(heatmap.min())
        large = enlarged(heatmap[None], side)[0]
        return cls(points and hits(*peak(heatmap, side), box), energy_inside(large, box))


Marks = dict[tuple[str, HeadName], list[Mark]]


def box_in_view(preprocessing: Preprocessing, size: tuple[int, int], box: Box) -> Box:
    """The visible part of a box on a photo of that (width, height), in the pixels of the network's square."""
    view, side = preprocessing.view(size), preprocessing.size
    x, y = side / view.width, side / view.height
    left, right = (box.left - view.left) * x, (box.right - view.left) * x
    top, bottom = (box.top - view.top) * y, (box.bottom - view.top) * y
    return Box(left, top, right, bottom).clipped((side, side))


def coverage(box: Box, side: int) -> Tensor:
    """(S, S) float64: the share of every pixel that lies inside the box."""
    low = torch.arange(side, dtype=torch.float64)

    def along(start: float, end: float) -> Tensor:
        return ((low + 1).clamp(max=end) - low.clamp(min=start)).clamp(min=0)

    return along(box.top, box.bottom)[:, None] * along(box.left, box.right)[None]


def hits(x: float, y: float, box: Box, tolerance: float = TOLERANCE) -> bool:
    """Whether a point lies in the box or at most `tolerance` pixels from it."""
    across = max(box.left - x, 0.0, x - box.right)
    down = max(box.top - y, 0.0, y - box.bottom)
    return across**2 + down**2 <= tolerance**2


def peak(heatmap: Tensor, side: int) -> tuple[float, float]:
    """(h, w) -> x and y of the centre of its largest cell, in pixels of an image of that side.

    A coarse map is not enlarged before: bilinear enlargement turns cells at the border into plateaus, whose first
    pixel lies at the image's edge.
    """
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    return (column + 0.5) * side / heatmap.shape[1], (row + 0.5) * side / heatmap.shape[0]


def energy_inside(heatmap: Tensor, box: Box) -> float | None:
    """(S, S) -> share of its positive values that lies inside the box; None where nothing is positive."""
    positive = heatmap.double().clamp(min=0)
    total = float(positive.sum())
    return float((positive * coverage(box, len(heatmap))).sum()) / total if total > 0 else None


def mean_of_classes(values: Sequence[float], labels: Sequence[int]) -> float:
    """The mean over classes of each class's mean, so that classes with many images weigh no more."""
    by_class: dict[int, list[float]] = {}
    for value, label in zip(values, labels, strict=True):
        by_class.setdefault(label, []).append(value)
    return mean(mean(found) for found in by_class.values())


def read_boxes(file: Path, images: LabelledImages, root: Path) -> LabelledImages:
    """The images of a folder that a CSV file (path,x0,y0,x1,y1; paths from `root`) has a box for, with their boxes."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except OSError as error:
        raise DatasetError(f"{file} can't be read: {error.strerror or error}") from None
    boxes: dict[Path, list[float]] = {}
    for line, row in enumerate(rows, start=2):
        try:
            boxes[(root / row["path"]).resolve()] = [float(row[name]) for name in ("x0", "y0", "x1", "y1")]
        except (KeyError, TypeError, ValueError):
            raise DatasetError(
                f"{file}, line {line} holds {dict(row)}; expected are the columns path,x0,y0,x1,y1 with numbers"
            ) from None
    if len(boxes) < len(rows):
        raise DatasetError(f"{file} has {len(rows)} lines for {len(boxes)} images: one box per image is expected")
    found = [i for i, source in enumerate(images.encoded) if isinstance(source, Path) and source.resolve() in boxes]
    if not found:
        raise DatasetError(f"none of the {len(boxes)} paths in {file} is one of the {len(images)} images of {root}")
    paths = [images.encoded[i] for i in found]
    corners = np.array([boxes[path.resolve()] for path in paths if isinstance(path, Path)], dtype=np.float32)
    return LabelledImages(paths, images.labels[found], corners)


def localize(
    classifier: Classifier,
    images: LabelledImages,
    methods: Sequence[str] = METHODS,
    heads: Sequence[str] = ("main",),
    *,
    aim: Aim = "true",
    batch: int = BATCH,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Localization:
    """Plays the pointing game and measures the energy on images with boxes, `batch` at a time.

    `aim`: maps are made for the true class, or for the one that the head predicts. `progress` counts images; setting
    `cancel` raises Cancelled before the next pass. Raises DatasetError where the images have no boxes, and
    AttributionError on unknown methods and heads.
    """
    started = time.perf_counter()
    if images.boxes is None:
        raise DatasetError("these images have no boxes: Parquet needs a column bbox, a folder needs a box file")
    names = tuple(dict.fromkeys(find_method(method).name for method in methods))
    trained = tuple(dict.fromkeys(trained_head(classifier, head) for head in heads))
    labels: list[int] = []
    boxes: list[Box] = []
    marks: Marks = {(name, head): [] for head in trained for name in names}
    for start in range(0, len(images), batch):
        report(start, len(images), progress, cancel)
        part = _visible(classifier.preprocessing, images, range(start, min(start + batch, len(images))))
        if not part.labels:
            continue
        labels += part.labels
        boxes += part.boxes
        for head in trained:
            classes = part.labels if aim == "true" else _answers(classifier, part.x, head)
            maps = heatmaps(classifier, part.x, names, head, classes, published=True, cancel=cancel)
            side = part.x.shape[-1]
            for method, found in maps.items():
                marks[method, head] += [Mark.of(one, box, side) for one, box in zip(found, part.boxes, strict=True)]
    report(len(images), len(images), progress, cancel)
    if not boxes:
        raise DatasetError(f"none of the {len(images)} images has a box in the part that the network sees")
    rows = tuple(_row(method, head, found, labels) for (method, head), found in marks.items())
    middle = classifier.preprocessing.size / 2
    centre = mean_of_classes([float(hits(middle, middle, box)) for box in boxes], labels)
    area = mean(box.width * box.height / (2 * middle) ** 2 for box in boxes)
    left_out, seconds = len(images) - len(boxes), time.perf_counter() - started
    return Localization(rows, centre, area, len(boxes), len(set(labels)), left_out, aim, TOLERANCE, seconds)


@dataclass(frozen=True)
class _Part:
    """Some images whose boxes are visible: normalised (N, 3, S, S), classes, boxes in the network's square."""

    x: Tensor
    labels: list[int]
    boxes: list[Box]


def _visible(preprocessing: Preprocessing, images: LabelledImages, indices: Iterable[int]) -> _Part:
    assert images.boxes is not None
    kept: list[tuple[Tensor, int, Box]] = []
    for index in indices:
        photo = images.photo(index)
        x0, y0, x1, y1 = images.boxes[index].tolist()
        box = box_in_view(preprocessing, photo.size, photo.upright(Box(x0, y0, x1 + 1, y1 + 1)))
        if box.width > 0 and box.height > 0:
            kept.append((preprocessing(photo.image), int(images.labels[index]), box))
    x = torch.cat([row[0] for row in kept]) if kept else torch.empty(0)
    return _Part(x, [row[1] for row in kept], [row[2] for row in kept])


def _answers(classifier: Classifier, x: Tensor, head: str) -> list[int]:
    with torch.inference_mode():
        logits = classifier.network.head_logits(classifier.to_input(x), head)
    answers: list[int] = logits.argmax(1).tolist()
    return answers


def _row(method: str, head: HeadName, marks: list[Mark], labels: list[int]) -> Row:
    pointing = mean_of_classes([float(mark.hit) for mark in marks], labels)
    energy = mean(mark.energy or 0.0 for mark in marks)
    return Row(method, head, pointing, energy, sum(mark.energy is None for mark in marks))
