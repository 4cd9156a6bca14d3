"""What is trained on and what is held out: broken images and empty classes are found before the first step."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from .data import DatasetError, LabelledImages, open_dataset


def training_images(root: Path, classes: int, limit: int | None = None) -> LabelledImages:
    """The training split; raises DatasetError that names broken images and classes without any."""
    images = open_dataset(root, "train").first(limit)
    broken = [index for index in range(len(images)) if not _opens(images.encoded[index])]
    if broken:
        names = ", ".join(_name(images, index) for index in broken[:3])
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        raise DatasetError(
            f"{len(broken)} of {len(images)} training images can't be opened ({names}{more}): remove or replace them"
        )
    if limit is None and (empty := sorted(set(range(classes)) - set(images.labels.tolist()))):
        raise DatasetError(
            f"{len(empty)} of {classes} classes have no training image (class {', '.join(map(str, empty[:5]))}): "
            "add images, or leave the classes out"
        )
    if wrong := sorted({label for label in images.labels.tolist() if not 0 <= label < classes}):
        raise DatasetError(f"labels {wrong[:5]} are outside of the {classes} classes that the data name")
    return images


def _opens(source: bytes | Path) -> bool:
    """Whether the header is that of an image; decoding all of it would take minutes."""
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source):
            return True
    except (OSError, SyntaxError, ValueError):
        return False


def _name(images: LabelledImages, index: int) -> str:
    source = images.encoded[index]
    return f"image {index}" if isinstance(source, bytes) else str(source)


def hold_out(images: LabelledImages, count: int) -> tuple[LabelledImages, LabelledImages | None]:
    """The images to train on, and `count` held out: of every class the same number, the last ones in their order.

    Raises DatasetError where that leaves a class without training images.
    """
    if count <= 0:
        return images, None
    labels = images.labels.tolist()
    per_class = max(1, count // len(set(labels)))
    sizes = Counter(labels)
    if small := [label for label, size in sizes.items() if size <= per_class]:
        raise DatasetError(
            f"holding out {count} images takes {per_class} of each class, but class {small[0]} has only "
            f"{sizes[small[0]]}: use a smaller --holdout"
        )
    seen: Counter[int] = Counter()
    kept: list[int] = []
    held: list[int] = []
    for index, label in enumerate(labels):
        seen[label] += 1
        (held if seen[label] > sizes[label] - per_class else kept).append(index)
    return images.take(kept), images.take(np.asarray(held).tolist())
