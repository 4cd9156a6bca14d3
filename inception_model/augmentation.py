"""Random views of training images: crops, stretched and mirrored (section 6 of the paper samples patches alike)."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch.utils.data import Dataset

from .data import LabelledImages


class Crops(Dataset[tuple[np.ndarray, int]]):
    """Random crops, resized and mirrored, as uint8 arrays (S, S, 3) with their labels."""

    def __init__(
        self, images: LabelledImages, size: int, min_area: float, max_aspect: float, photometric: float = 0.0
    ) -> None:
        self.images, self.size, self.min_area, self.max_aspect = images, size, min_area, max_aspect
        self.photometric = photometric

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        image, label = self.images[index]
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        if self.photometric:
            image = distort(image, rng, self.photometric)
        box = random_box(image.size, rng, self.min_area, self.max_aspect)
        crop = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)
        pixels = np.asarray(crop)
        return (pixels[:, ::-1] if rng.random() < 0.5 else pixels), label


def random_box(
    size: tuple[int, int], rng: np.random.Generator, min_area: float, max_aspect: float
) -> tuple[float, float, float, float]:
    """A crop (x0, y0, x1, y1) of `min_area` to all of the image's area, its aspect within `max_aspect` either way."""
    width, height = size
    area = width * height * rng.uniform(min_area, 1.0)
    aspect = math.exp(rng.uniform(-math.log(max_aspect), math.log(max_aspect)))
    w, h = min(width, math.sqrt(area * aspect)), min(height, math.sqrt(area / aspect))
    x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
    return x, y, x + w, y + h


def distort(image: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    """Photometric distortion (section 6): brightness, contrast and saturation each times 1 - strength to 1 + strength.

    One image in ten loses its colour altogether, so that shape has to do.
    """
    if rng.random() < 0.1:
        image = image.convert("L").convert("RGB")
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(1 - strength, 1 + strength))
    return image
