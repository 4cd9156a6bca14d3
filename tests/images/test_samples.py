"""Shipped photos: there, real, credited, and found without importing their packages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from inception_model.images.decode import Photo
from inception_model.images.samples import SAMPLES, available_samples, credit_of, sample_photo, sample_photos


def test_all_samples_ship_with_the_requirements() -> None:
    assert available_samples() == SAMPLES
    photos = sample_photos()
    assert [photo.name for photo in photos] == ["cat", "espresso", "rocket", "astronaut", "officer"]
    assert len({photo.sha256 for photo in photos}) == len(photos)
    assert all(photo.image.mode == "RGB" and min(photo.size) >= 300 for photo in photos)


def test_every_sample_is_credited_and_nothing_else(cat: Photo) -> None:
    assert "CC0" in str(credit_of(cat))
    assert all(credit_of(photo) for photo in sample_photos())
    assert credit_of(Photo(cat.image, "f" * 64, "cat")) is None


def test_an_unknown_sample_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match="cat, espresso"):
        sample_photo("dog")


def test_finding_samples_imports_neither_package() -> None:
    code = (
        "import sys; from inception_model.images.samples import sample_photos; sample_photos();"
        "assert not {'skimage', 'matplotlib', 'pooch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
