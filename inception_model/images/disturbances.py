"""What happens to photos before somebody looks at them: shifted, turned, blurred, greyed, noisy, compressed.

DISTURBANCES is the list, in the order in which they are applied. Each has a scale of strengths, one of which leaves the
photo as it is. All act on the network's square, in its own pixels, and give 8-bit pixels again, as a camera would.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageEnhance
from skimage.filters import gaussian

from .surroundings import Surroundings

LEVELS = 255
"""Steps between black and white in an 8-bit picture: strengths and bounds are counted in them."""
SEED = 0
"""Of the noise: the same grains at every strength, only stronger."""


@dataclass(frozen=True)
class Disturbance:
    """One kind: its name, what its strength is, the scale of strengths in order, and the one that changes nothing.

    `change(square, strength, seed)` gives the changed square; None for those that move the square on the photo.
    """

    name: str
    label: str
    reading: str
    strengths: tuple[float, ...]
    clean: float
    words: Callable[[float], str]
    change: Callable[[Image.Image, float, int], Image.Image] | None = None

    @property
    def start(self) -> int:
        """The place of the clean strength on the scale."""
        return self.strengths.index(self.clean)

    def read(self, text: str) -> float:
        """A strength as it is written; ValueError says which ones there are."""
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if value not in self.strengths:
            raise ValueError(
                f"{self.name} has no strength {text[:24]!r}; it has: "
                + ", ".join(f"{strength:g}" for strength in self.strengths)
            )
        return value


def blurred(square: Image.Image, sigma: float, seed: int = SEED) -> Image.Image:
    """A Gaussian of that many pixels, cut at four of them; mirrored at the edges."""
    pixels: np.ndarray = gaussian(  # type: ignore[no-untyped-call]
        np.asarray(square, np.float32), sigma, mode="mirror", truncate=4, channel_axis=-1
    )
    return _picture(pixels)


def greyed(square: Image.Image, percent: float, seed: int = SEED) -> Image.Image:
    """Saturation taken away: 0 leaves the colours, 100 leaves only their grey (ITU-R 601 luma)."""
    return ImageEnhance.Color(square).enhance(1 - percent / 100)


def noisy(square: Image.Image, sigma: float, seed: int = SEED) -> Image.Image:
    """Normal noise of that standard deviation in 8-bit levels, of its own in every pixel and colour."""
    width, height = square.size
    grains = torch.randn(3, height, width, generator=torch.Generator().manual_seed(seed))
    return _picture(np.asarray(square, np.float32) + sigma * grains.permute(1, 2, 0).numpy())


def compressed(square: Image.Image, quality: float, seed: int = SEED) -> Image.Image:
    """Saved as a JPEG of that quality and read again."""
    file = io.BytesIO()
    square.save(file, "JPEG", quality=round(quality))
    return Image.open(file, formats=("JPEG",)).convert("RGB")


def _picture(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(levels), 0, LEVELS).astype(np.uint8))


def _span(first: int, last: int, step: int) -> tuple[float, ...]:
    return tuple(float(value) for value in range(first, last + 1, step))


def _named(unit: str) -> Callable[[float], str]:
    return lambda value: f"{value:g}{unit}".replace("-", "−")


DISTURBANCES: dict[str, Disturbance] = {
    row.name: row
    for row in (
        Disturbance(
            "shift", "Shift", "how far the square goes to the right on the photo, in pixels of the input",
            _span(-32, 32, 2), 0, _named(" px"),
        ),
        Disturbance(
            "rotation", "Rotation", "how far the photo is turned counter-clockwise, in degrees",
            _span(-90, 90, 5), 0, _named("°"),
        ),
        Disturbance(
            "blur", "Blur", "standard deviation of the Gaussian, in pixels of the input",
            tuple(value / 2 for value in range(17)), 0, _named(" px"), blurred,
        ),
        Disturbance("grey", "Grey", "how much of the saturation is gone", _span(0, 100, 5), 0, _named("%"), greyed),
        Disturbance(
            "noise", "Noise", "standard deviation of the noise, in 8-bit levels",
            _span(0, 80, 4), 0, _named("/255"), noisy,
        ),
        Disturbance(
            "jpeg", "JPEG quality", "the quality of the JPEG that it is saved as; 100: it is left as it is",
            (*_span(5, 100, 5)[::-1], 3.0, 1.0), 100, _named(""), compressed,
        ),
    )
}  # fmt: skip


def disturbed(around: Surroundings, strengths: Mapping[str, float], seed: int = SEED) -> Image.Image:
    """The network's square after all disturbances of these strengths, in the order of DISTURBANCES.

    What is not named stays as it is; without any, the square is the one that the network sees anyway. Raises KeyError
    for what is no disturbance.
    """
    for name in strengths:
        if name not in DISTURBANCES:
            raise KeyError(f"unknown disturbance {name!r}; allowed: {', '.join(DISTURBANCES)}")
    square = around.moved(strengths.get("shift", 0), strengths.get("rotation", 0))
    for name, kind in DISTURBANCES.items():
        strength = strengths.get(name, kind.clean)
        if kind.change is not None and strength != kind.clean:
            square = kind.change(square, strength, seed)
    return square
