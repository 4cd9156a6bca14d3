"""What came of it: the pictures of one objective and how they compare with photos."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .objectives import Objective
from .settings import Settings


@dataclass(frozen=True)
class Natural:
    """The photo that an objective is strongest on, and how strong."""

    photo: str
    strength: float


@dataclass(frozen=True)
class Visualization:
    """N pictures of one objective. `pixels`: (N, S, S, 3), 8 bits; `curve`: the objective on a random view before
    every step, (steps, N); `strengths`: of the finished pictures, (N,), see `Objective.strength`; `natural`: the
    strongest photo, None without any."""

    objective: Objective
    settings: Settings
    pixels: NDArray[np.uint8]
    curve: NDArray[np.float32]
    strengths: NDArray[np.float32]
    natural: Natural | None

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """The pictures."""
        return tuple(Image.fromarray(pixels) for pixels in self.pixels)

    @property
    def image(self) -> Image.Image:
        """The pictures side by side."""
        return Image.fromarray(np.concatenate(list(self.pixels), axis=1))

    @property
    def ratios(self) -> NDArray[np.float32] | None:
        """Strengths of the pictures over the strongest photo's; None where no photo raises the objective above zero."""
        if self.natural is None or self.natural.strength <= 0:
            return None
        return self.strengths / np.float32(self.natural.strength)

    @property
    def grey(self) -> bool:
        """Whether nothing came of it: every picture is nearly of one colour."""
        return bool((self.pixels.reshape(len(self.pixels), -1).std(axis=1) < GREY_SPREAD).all())

    def words(self) -> str:
        """How the pictures compare with photos, in one sentence."""
        strongest = float(self.strengths.max())
        if self.natural is None:
            return f"reaches {strongest:.3g}; there is no photo to compare with"
        known = f"the strongest of the photos, {self.natural.photo}, has {self.natural.strength:.3g}"
        if self.ratios is None:
            return f"reaches {strongest:.3g}; {known}: none of them raises it above zero"
        return f"reaches {strongest:.3g}, {float(self.ratios.max()):.1f} times what photos do: {known}"

    def as_dict(self) -> dict[str, Any]:
        """Everything but the pixels, for JSON."""
        ratios = self.ratios
        return {
            "objective": self.objective.name,
            "settings": asdict(self.settings),
            "size": self.pixels.shape[1],
            "strengths": self.strengths.tolist(),
            "natural": None if self.natural is None else asdict(self.natural),
            "ratios": None if ratios is None else ratios.tolist(),
            "grey": self.grey,
            "curve": self.curve.tolist(),
        }


GREY_SPREAD = 6.0
"""Standard deviation in steps of 8 bits below which a picture is called grey: noise at the start has about 3."""
