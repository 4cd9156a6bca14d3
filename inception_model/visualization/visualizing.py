"""`visualize`: pictures that raise objectives, many at once, each through no more of the network than it needs."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..images.decode import Photo
from ..images.geometry import Box
from ..images.preprocessing import Preprocessing
from ..images.samples import sample_photos
from ..inference.classifier import Classifier
from ..progress import Progress
from .ascent import ascend
from .diversity import diversity_place, likeness
from .objectives import Objective
from .parametrisation import Fourier, Parametrisation, Phases, natural_magnitudes
from .places import Place
from .prefix import Rectifier, Values, values_at
from .redirected import redirected_relu
from .result import Natural, Visualization
from .settings import DIVERSITY, MACO_RATE, RATE, SIZE, Settings
from .views import random_views

REDIRECTED_STEPS = 16
"""So many steps dead ReLUs get their start, as in lucid."""
PREVIEW_STEPS = 8
"""From one preview to the next."""

Preview = Callable[[int, NDArray[np.uint8]], None]
"""Called with (step, the pictures (N, S, S, 3) that are being made), on the thread that computes."""


def visualize(
    classifier: Classifier,
    objectives: Sequence[Objective],
    settings: Settings | None = None,
    *,
    start: Image.Image | None = None,
    photos: Sequence[Photo] | None = None,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    preview: Preview | None = None,
) -> list[Visualization]:
    """Makes pictures that raise the objectives; returns them in the order of the objectives.

    Objectives that read the same places are made together, `settings.batch` pictures at a time; only the part of the
    network up to there runs. `start`: a photo to begin with instead of noise (deep dream). `photos`: what the pictures
    are compared with, the shipped samples unless given. The same seed gives the same picture, in a batch or alone but
    for rounding; bfloat16 networks take two thirds of the time where the processor has it. Raises Cancelled between
    two steps, ValueError on what cannot be.
    """
    settings = settings or Settings()
    if settings.maco and start is not None:
        raise ValueError("a picture of phases alone cannot start from a photo: its magnitudes are given")
    batches = _batches(objectives, settings)
    shown = sample_photos() if photos is None else photos
    found: dict[int, Visualization] = {}
    for number, batch in enumerate(batches):

        def further(done: int, _: int, before: int = number * settings.steps) -> None:
            if progress is not None:
                progress(before + done, len(batches) * settings.steps)

        asked = [objectives[index] for index in batch]
        made = _Batch(classifier, asked, settings, start)
        curve = made.ascend(further, cancel, preview)
        pixels = made.pixels()
        strengths = made.strengths(pixels)
        natural = natural_strengths(classifier, asked, shown)
        for row, index in enumerate(batch):
            own = slice(row * settings.pictures, (row + 1) * settings.pictures)
            found[index] = Visualization(
                asked[row], settings, pixels[own], curve[:, own].numpy(), strengths[own].numpy(), natural[row]
            )
    return [found[index] for index in range(len(objectives))]


def natural_strengths(
    classifier: Classifier, objectives: Sequence[Objective], photos: Sequence[Photo]
) -> list[Natural | None]:
    """The strongest of the photos for each objective, at the size that the network sees photos in; all objectives
    read the same places. None without photos."""
    best: list[Natural | None] = [None] * len(objectives)
    places = objectives[0].places
    for photo in photos:
        with torch.no_grad():
            values = _plain(values_at(classifier.network, classifier.prepare(photo.image), places))
        for number, objective in enumerate(objectives):
            strength, known = float(objective.strength(values, anywhere=True)), best[number]
            if known is None or strength > known.strength:
                best[number] = Natural(photo.name, strength)
    return best


def default_size(objective: Objective, preprocessing: Preprocessing, *, dream: bool = False) -> int:
    """Side of a picture where nobody chose: heads, and photos to start from, need what the network was trained for."""
    return preprocessing.size if dream or any(place.is_head for place in objective.places) else SIZE


def _batches(objectives: Sequence[Objective], settings: Settings) -> list[list[int]]:
    """Indices of the objectives that are made together: those that read the same places."""
    alike: dict[tuple[Place, ...], list[int]] = defaultdict(list)
    for index, objective in enumerate(objectives):
        alike[objective.places].append(index)
    together = max(1, settings.batch // settings.pictures)
    return [group[first : first + together] for group in alike.values() for first in range(0, len(group), together)]


class _Batch:
    """Pictures of objectives that read the same places; `settings.pictures` rows for each objective."""

    def __init__(
        self, classifier: Classifier, objectives: Sequence[Objective], settings: Settings, start: Image.Image | None
    ) -> None:
        self.classifier, self.objectives, self.settings = classifier, objectives, settings
        chosen = default_size(objectives[0], classifier.preprocessing, dream=start is not None)
        size = settings.size or chosen
        _require_size(size, objectives[0], classifier)
        self.generators = [
            torch.Generator().manual_seed(settings.seed + number)
            for _ in objectives
            for number in range(settings.pictures)
        ]
        self.parametrisation: Parametrisation
        if settings.maco:
            self.parametrisation = Phases(natural_magnitudes(size), self.generators)
        else:
            self.parametrisation = Fourier(size, self.generators, None if start is None else _square(start, size))
        self.compared = diversity_place(objectives[0], classifier.checkpoint.spec) if settings.pictures > 1 else None
        self.places: tuple[Place, ...] = objectives[0].places
        if self.compared is not None:
            self.places = tuple(dict.fromkeys((*self.places, self.compared)))

    def ascend(self, progress: Progress, cancel: threading.Event | None, preview: Preview | None) -> Tensor:
        """Makes the pictures; returns the objectives before each step, (steps, N)."""
        parameter = self.parametrisation.parameter
        optimizer: torch.optim.Optimizer
        if self.settings.maco:
            optimizer = torch.optim.NAdam([parameter], lr=MACO_RATE)
        else:
            optimizer = torch.optim.Adam([parameter], lr=RATE)
        self.measured: list[Tensor] = []

        def seen(step: int, pictures: Tensor) -> None:
            if preview is not None and step % PREVIEW_STEPS == 0:
                preview(step, eight_bits(pictures))

        ascend(
            self.parametrisation, self._score, optimizer, self.settings.steps,
            progress=progress, cancel=cancel, seen=seen,
        )  # fmt: skip
        return torch.stack(self.measured) if self.measured else torch.empty(0, len(self.generators))

    def pixels(self) -> NDArray[np.uint8]:
        """The pictures as they stand: (N, S, S, 3)."""
        with torch.no_grad():
            return eight_bits(self.parametrisation.pictures())

    def strengths(self, pixels: NDArray[np.uint8]) -> Tensor:
        """How strong finished pictures are, one by one and without any view: (N,)."""
        found = []
        for row, objective in enumerate(self._rows()):
            picture = torch.from_numpy(pixels[row : row + 1]).permute(0, 3, 1, 2).float() / 255
            with torch.no_grad():
                found.append(objective.strength(self._values(picture, objective.places, torch.relu)))
        return torch.cat(found)

    def _rows(self) -> list[Objective]:
        return [objective for objective in self.objectives for _ in range(self.settings.pictures)]

    def _values(self, pictures: Tensor, places: Sequence[Place], rectify: Rectifier) -> Values:
        x = self.classifier.to_input(self.classifier.preprocessing.normalise(pictures))
        return _plain(values_at(self.classifier.network, x, places, rectify))

    def _score(self, pictures: Tensor, step: int) -> Tensor:
        rectify = redirected_relu if step < REDIRECTED_STEPS else torch.relu
        views = random_views(pictures, self.generators) if self.settings.views else pictures
        values = self._values(views, self.places, rectify)
        scores = []
        for number, objective in enumerate(self.objectives):
            own = slice(number * self.settings.pictures, (number + 1) * self.settings.pictures)
            scores.append(objective.score({place: value[own] for place, value in values.items()}, rectify))
        plain = torch.cat(scores)
        self.measured.append(plain.detach().float().cpu())
        if self.compared is None:
            return plain
        alike = torch.cat([likeness(group) for group in torch.split(values[self.compared], self.settings.pictures)])
        return plain - DIVERSITY * plain.detach().abs() * alike


def _require_size(size: int, objective: Objective, classifier: Classifier) -> None:
    """Raises ValueError for a head whose average pool fits one size of image only."""
    pools = {aux.name: aux.pool for aux in classifier.checkpoint.spec.aux}
    own = classifier.preprocessing.size
    for place in objective.places:
        if place.unit in pools and pools[place.unit] == "avg5x3" and size != own:
            raise ValueError(f"{place} of this network takes pictures of {own} pixels only; got {size}")


def _plain(values: Values) -> Values:
    """In float32, where sums over positions are exact enough."""
    return {place: value.float() for place, value in values.items()}


def _square(photo: Image.Image, size: int) -> Tensor:
    """The centre of a photo, (1, 3, size, size), RGB in [0, 1]."""
    side = min(photo.size)
    left, top = ((edge - side) / 2 for edge in photo.size)
    box = Box(left, top, left + side, top + side)
    corners = (box.left, box.top, box.right, box.bottom)
    small = photo.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box=corners)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).unsqueeze(0).float() / 255


def eight_bits(pictures: Tensor) -> NDArray[np.uint8]:
    """(N, 3, S, S) in [0, 1] -> (N, S, S, 3), rounded to 8 bits."""
    whole = (pictures.detach().float().cpu() * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).numpy())
