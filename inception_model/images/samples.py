"""Photos that installed packages ship, for looking at something before any upload. Nothing is fetched."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .decode import Photo, open_photo


@dataclass(frozen=True)
class Sample:
    """A shipped photo: its short name, where it lies (package and path inside it), and its credit and licence."""

    name: str
    package: str
    file: str
    credit: str

    @property
    def path(self) -> Path | None:
        """The file, or None where the package is not installed or left it out. Imports nothing."""
        found = importlib.util.find_spec(self.package)
        folders = (found.submodule_search_locations if found else None) or []
        return next((Path(folder) / self.file for folder in folders if (Path(folder) / self.file).is_file()), None)


SAMPLES: tuple[Sample, ...] = (
    Sample("cat", "skimage", "data/chelsea.png", "Chelsea, by Stéfan van der Walt (CC0), from scikit-image"),
    Sample("espresso", "skimage", "data/coffee.png", "Espresso, by Rachel Michetti (CC0), from scikit-image"),
    Sample("rocket", "skimage", "data/rocket.jpg", "Falcon 9, by SpaceX (public domain), from scikit-image"),
    Sample("astronaut", "skimage", "data/astronaut.png", "Eileen Collins, by NASA (public domain), from scikit-image"),
    Sample(
        "officer",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "Grace Hopper, by James S. Davis, US Navy (public domain), from matplotlib",
    ),
)


@cache
def sample_photo(name: str) -> Photo:
    """The sample of that name; raises KeyError that lists the ones that are installed."""
    for sample in SAMPLES:
        if sample.name == name and sample.path is not None:
            photo = open_photo(sample.path)
            return Photo(photo.image, photo.sha256, name)
    raise KeyError(f"no sample {name!r} is installed; there are: {', '.join(s.name for s in available_samples())}")


@cache
def available_samples() -> tuple[Sample, ...]:
    """The samples whose files are on this machine; looked for once per process."""
    return tuple(sample for sample in SAMPLES if sample.path is not None)


@cache
def sample_photos() -> tuple[Photo, ...]:
    """All installed samples, decoded once per process; the cat first."""
    return tuple(sample_photo(sample.name) for sample in available_samples())


def credit_of(photo: Photo) -> str | None:
    """Credit and licence of a sample; None for any other photo."""
    for sample in available_samples():
        if sample_photo(sample.name).sha256 == photo.sha256:
            return sample.credit
    return None
