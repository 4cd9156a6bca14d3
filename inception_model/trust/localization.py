"""Localisation: does a map point at the object? Measured on labelled images whose objects are boxed.

The pointing game (Zhang et al. 2016); energy, the share of positive attribution inside the box (Wang et al. 2020; the
same as the relevance mass accuracy of Arras et al. 2022 with negative values cut off); and relevance rank accuracy
(Arras et al. 2022). Beside them stands what needs no network: the image's centre, an even and a random map.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..attribution.batched import enlarged
from ..images.geometry import Box
from ..images.preprocessing import Preprocessing
from ..inference.classifier import Classifier
from ..progress import Progress
from ..training.data import DatasetError, LabelledImages
from ..training.evaluation import BATCH
from ..training.fingerprint import fingerprint
from .measuring import DEFAULT_AIM, Aim, Marks, Results, Trial, measure

TOLERANCE = 15.0
"""Pixels of the network's image by which the maximum may miss the box and still count as a hit."""

METHODS = ("saliency", "gradcam", "input_x_gradient", "guided_backprop")
"""The methods that are measured when none is named."""


MEASURES = ("pointing", "energy", "rank")


@dataclass(frozen=True)
class BoxJudge:
    """Marks a map of a picture of `side` pixels by the object's box, in the picture's pixels: (hit, energy, rank).

    Where several cells share the maximum, a hit is the share of them that hit. A map that is the same everywhere points
    nowhere and misses; energy and rank are None where nothing is positive.
    """

    box: Box
    side: int

    def of(self, heatmap: Tensor) -> Marks:
        """A hit is 1.0, a miss 0.0."""
        points = float(heatmap.max()) > float(heatmap.min())
        large = enlarged(heatmap[None], self.side)[0]
        hit = hit_share(heatmap, self.side, self.box) if points else 0.0
        return hit, energy_inside(large, self.box), rank_inside(large, self.box)

    def baseline(self, name: str, seed: int) -> Marks:
        """`centre`: a map that falls with the distance from the centre, so steeply that all its mass lies there."""
        if name == "random":
            return self.of(torch.rand(self.side, self.side, generator=torch.Generator().manual_seed(seed)))
        mask = coverage(self.box, self.side)
        if name == "even":
            return None, float(mask.mean()), float(mask.mean())
        along = (torch.arange(self.side, dtype=torch.float64) + 0.5 - self.side / 2) ** 2
        near = 1 / (1 + along[:, None] + along[None])
        middle = (near == near.max()).double()
        return (
            float(hits(self.side / 2, self.side / 2, self.box)),
            energy_inside(middle, self.box),
            rank_inside(near, self.box),
        )


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


def _near(x: Tensor, y: Tensor, box: Box, tolerance: float) -> Tensor:
    """Of points, which lie in the box or at most `tolerance` pixels from it."""
    across = torch.maximum(box.left - x, x - box.right).clamp(min=0)
    down = torch.maximum(box.top - y, y - box.bottom).clamp(min=0)
    return across**2 + down**2 <= tolerance**2


def hits(x: float, y: float, box: Box, tolerance: float = TOLERANCE) -> bool:
    """Whether a point lies in the box or at most `tolerance` pixels from it."""
    return bool(_near(torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64), box, tolerance))


def _cells(heatmap: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """What `peaks` says, as two tensors of float64: of a plateau there are thousands."""
    height, width = heatmap.shape
    rows, columns = (heatmap == heatmap.max()).nonzero().double().cpu().unbind(1)
    return (columns + 0.5) * side / width, (rows + 0.5) * side / height


def peaks(heatmap: Tensor, side: int) -> list[tuple[float, float]]:
    """(h, w) -> x and y of the centres of all cells that share its maximum, in pixels of an image of that side.

    Maps of windows or segments have plateaus, of which the first pixel says no more than any other. A coarse map is not
    enlarged before: bilinear enlargement turns cells at the border into plateaus of its own.
    """
    x, y = _cells(heatmap, side)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def hit_share(heatmap: Tensor, side: int, box: Box, tolerance: float = TOLERANCE) -> float:
    """Of the cells that share the map's maximum, the share that hits the box."""
    x, y = _cells(heatmap, side)
    return int(_near(x, y, box, tolerance).sum()) / len(x)


def energy_inside(heatmap: Tensor, box: Box) -> float | None:
    """(S, S) -> share of its positive values that lies inside the box; None where nothing is positive."""
    positive = heatmap.double().clamp(min=0)
    total = float(positive.sum())
    return float((positive * coverage(box, len(heatmap))).sum()) / total if total > 0 else None


def rank_inside(heatmap: Tensor, box: Box) -> float | None:
    """(S, S) -> share of the box's K pixels that are among the map's K largest positive values (relevance rank
    accuracy); None where nothing is positive.

    The box's pixels are those whose centres it holds, or in a box thinner than a pixel those that it covers most. Of
    equal values at the border of the first K every choice counts alike: an even map gets the box's share of the area.
    """
    values = heatmap.double().clamp(min=0).flatten()
    if float(values.max()) <= 0:
        return None
    inside = pixels_inside(box, len(heatmap)).flatten()
    count = int(inside.sum())
    last = values.topk(count).values[-1]
    above, equal = values > last, values == last
    sure = float(inside[above].sum())
    by_chance = (count - float(above.sum())) * float(inside[equal].double().mean())
    return (sure + by_chance) / count


def pixels_inside(box: Box, side: int) -> Tensor:
    """(S, S) bool: pixels whose centres lie in the box; where there is none, those that it covers most."""
    centres = torch.arange(side, dtype=torch.float64) + 0.5
    rows = (centres > box.top) & (centres < box.bottom)
    columns = (centres > box.left) & (centres < box.right)
    inside = rows[:, None] & columns[None]
    if not inside.any():
        covered = coverage(box, side)
        inside = covered == covered.max()
    return inside


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


class BoxedImages:
    """Images with boxes as trials: each one's centre view, without those whose box lies outside of it."""

    kind = "boxes"
    measures = MEASURES
    by_class = ("pointing",)

    def __init__(self, preprocessing: Preprocessing, images: LabelledImages) -> None:
        if images.boxes is None:
            raise DatasetError("these images have no boxes: Parquet needs a column bbox, a folder needs a box file")
        self.preprocessing, self.images, self.boxes = preprocessing, images, images.boxes

    def __len__(self) -> int:
        return len(self.images)

    def settings(self) -> dict[str, Any]:
        """The tolerance, and what tells one choice of images from another."""
        return {"tolerance": TOLERANCE, "data_crc32": fingerprint(self.images)}

    def part(self, start: int, stop: int) -> list[Trial]:
        """Those of the images that can be judged."""
        kept = []
        for index in range(start, stop):
            photo = self.images.photo(index)
            x0, y0, x1, y1 = self.boxes[index].tolist()
            box = box_in_view(self.preprocessing, photo.size, photo.upright(Box(x0, y0, x1 + 1, y1 + 1)))
            if box.width > 0 and box.height > 0:
                judge = BoxJudge(box, self.preprocessing.size)
                kept.append(Trial(self.preprocessing(photo.image), int(self.images.labels[index]), (index,), judge))
        return kept


def localize(
    classifier: Classifier,
    images: LabelledImages,
    methods: Sequence[str] = METHODS,
    heads: Sequence[str] = ("main",),
    *,
    aim: Aim = DEFAULT_AIM,
    batch: int = BATCH,
    file: Path | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    into: list[Results] | None = None,
) -> Results:
    """Plays the pointing game and measures energy and rank on images with boxes: see `measuring.measure`.

    `aim`: maps are made for the true class, or for the one that the head predicts.
    """
    trials = BoxedImages(classifier.preprocessing, images)
    return measure(
        classifier,
        trials,
        methods,
        heads,
        aim=aim,
        batch=batch,
        file=file,
        progress=progress,
        cancel=cancel,
        into=into,
    )
