"""From image bytes to the network's input, safely, and back from the network's square to the photo's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..architecture.spec import DEFAULT_SIZE
from .geometry import Box


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input. Weights travel with it.

    The shorter side is resized to `resize` pixels and the centre `size` x `size` is cut out.
    Values are RGB (or BGR) in [0, 1] times `scale`, minus `mean`, divided by `std`.
    """

    size: int = DEFAULT_SIZE
    resize: int = 256
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    channels: Literal["RGB", "BGR"] = "RGB"

    @property
    def filter(self) -> Image.Resampling:
        """Pillow's filter of that interpolation."""
        return Image.Resampling.BICUBIC if self.interpolation == "bicubic" else Image.Resampling.BILINEAR

    def view(self, size: tuple[int, int], square: Box | None = None) -> Box:
        """The part of a photo of that (width, height) that the network sees, in photo pixels: a centred square, or the
        one that was chosen.

        Where a border is cut off, sides and corners are rounded as torchvision's Resize and CenterCrop do.
        """
        if square is not None:
            return square
        width, height = size
        if self.resize != self.size:
            wide, high = self._resized(size)
            column, row = (round((edge - self.size) / 2.0) for edge in (wide, high))
            x, y = width / wide, height / high
            return Box(column * x, row * y, (column + self.size) * x, (row + self.size) * y)
        side = min(width, height) * self.size / self.resize
        left, top = (width - side) / 2, (height - side) / 2
        return Box(left, top, left + side, top + side)

    def crop(self, image: Image.Image, square: Box | None = None) -> Image.Image:
        """The network's square (size x size, RGB, before normalisation): the centre view, or what is cut out there.

        What is cut out (at whole pixels) is resized alone: no pixel beside it reaches the network.
        """
        filter_ = self.filter
        if square is not None:
            cut = image.crop((round(square.left), round(square.top), round(square.right), round(square.bottom)))
            return cut.resize((self.size, self.size), filter_)
        if self.resize != self.size:
            # What torchvision does, to the bit: the whole photo resized to whole pixels, then cut.
            whole = self._resized(image.size)
            left, top = (round((edge - self.size) / 2.0) for edge in whole)
            return image.resize(whole, filter_).crop((left, top, left + self.size, top + self.size))
        box = self.view(image.size)
        corners = (box.left, box.top, box.right, box.bottom)
        return image.resize((self.size, self.size), filter_, box=corners)

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height after the shorter side has become `resize` pixels, the longer one rounded down."""
        width, height = size
        long = int(self.resize * max(size) / min(size))
        return (self.resize, long) if width <= height else (long, self.resize)

    def tensor(self, crop: Image.Image) -> Tensor:
        """A crop -> normalised float32 (1, 3, size, size) on the CPU."""
        pixels = torch.from_numpy(np.array(crop.convert("RGB"))).permute(2, 0, 1).unsqueeze(0)
        return self.normalise(pixels.float() / 255)

    def normalise(self, pixels: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> the network's input."""
        if self.channels == "BGR":
            pixels = pixels.flip(1)
        mean, std = self._stats(pixels)
        return (pixels * self.scale - mean) / std

    def denormalise(self, x: Tensor) -> Tensor:
        """The inverse of `normalise`: RGB in [0, 1] (not clipped)."""
        mean, std = self._stats(x)
        pixels = (x * std + mean) / self.scale
        return pixels.flip(1) if self.channels == "BGR" else pixels

    def __call__(self, image: Image.Image, square: Box | None = None) -> Tensor:
        """A photo -> (1, 3, size, size) float32 on the CPU; `square` as `crop` takes it."""
        return self.tensor(self.crop(image, square))

    def to_photo(self, size: tuple[int, int], x: float, y: float, square: Box | None = None) -> tuple[float, float]:
        """A position in the network's square, in its pixels -> the same position on the photo."""
        view = self.view(size, square)
        return view.left + x * view.width / self.size, view.top + y * view.height / self.size

    def box_to_photo(self, size: tuple[int, int], box: Box, square: Box | None = None) -> Box:
        """A rectangle in the network's square -> on the photo."""
        left, top = self.to_photo(size, box.left, box.top, square)
        right, bottom = self.to_photo(size, box.right, box.bottom, square)
        return Box(left, top, right, bottom)

    @property
    def words(self) -> str:
        """What happens to a photo before the network, for people."""
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        scale = "" if self.scale == 1 else f", scale {self.scale:g}"
        return (
            f"shorter side to {self.resize} px, centre {self.size}×{self.size}, {self.interpolation}; "
            f"{self.channels}, minus mean ({mean}), divided by ({std}){scale}"
        )

    def _stats(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean = torch.tensor(self.mean, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
        return mean, std

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """From JSON metadata (lists become tuples)."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)


TINY_IMAGENET = Preprocessing(resize=224, interpolation="bicubic")
TORCHVISION = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
"""torchvision's weights: ImageNet statistics undone by `transform_input`, which leaves (x - 0.5) / 0.5."""
CAFFE = Preprocessing(scale=255.0, mean=(104.0, 117.0, 123.0), std=(1.0, 1.0, 1.0), channels="BGR")
INCEPTION5H = Preprocessing(scale=255.0, mean=(117.0, 117.0, 117.0), std=(1.0, 1.0, 1.0))
