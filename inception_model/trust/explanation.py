"""An explanation as plain data and as a picture: the answer of the command `explain` and of the server's API."""

from __future__ import annotations

from typing import Any

from PIL import Image

from ..attribution import Attribution
from ..attribution.reading import numbers
from ..drawing.colormaps import full_scale
from ..drawing.overlay import map_on_photo
from ..images.decode import Photo
from ..inference.classifier import Classifier
from .badge import Badge


def explanation(result: Attribution, badge: Badge | None) -> dict[str, Any]:
    """The numbers of a map, and under `trust` what its checks found where any ran."""
    return numbers(result) | ({} if badge is None else {"trust": badge.as_dict()})


def overlay(classifier: Classifier, photo: Photo, result: Attribution) -> Image.Image:
    """The map on its photo, at the photo's size."""
    heatmap = result.heatmap.numpy()
    return map_on_photo(
        photo.image, heatmap, classifier.preprocessing,
        scale=full_scale(heatmap), side=max(photo.size), square=photo.square,
    )  # fmt: skip
