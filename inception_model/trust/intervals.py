"""How far a mean over a sample of images may lie from the mean over all images of their kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000
_AT_ONCE = 2_000_000
"""Drawn values that are held in memory at a time."""


def bootstrap_interval(values: Sequence[float], seed: int, level: float = 0.95) -> tuple[float, float]:
    """(low, high) of the mean of `values`: the percentile bootstrap (Efron 1979) with `RESAMPLES` samples drawn with
    replacement, each as long as `values`.

    The same seed gives the same samples, so that rows of a table over the same images are resampled alike. Raises
    ValueError without values or with a level outside of 0 to 1.
    """
    known = np.asarray(values, dtype=np.float64)
    if known.size == 0 or not 0 < level < 1:
        raise ValueError(f"an interval needs values and a level between 0 and 1; got {known.size} values, {level}")
    random = np.random.default_rng(seed)
    part = max(1, _AT_ONCE // known.size)
    means = [
        known[random.integers(0, known.size, (min(part, RESAMPLES - start), known.size))].mean(1)
        for start in range(0, RESAMPLES, part)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_of_classes(values: Sequence[float], labels: Sequence[int]) -> float:
    """The mean over classes of each class's mean, so that classes with many images weigh no more."""
    found = _by_class(np.asarray(values, dtype=np.float64), labels)
    return float(_class_means(np.ones((1, len(values))), *found)[0])


def bootstrap_interval_of_classes(
    values: Sequence[float], labels: Sequence[int], seed: int, level: float = 0.95
) -> tuple[float, float]:
    """As `bootstrap_interval`, of `mean_of_classes`: images are drawn, and a class that none of them shows is left out
    of that sample's mean."""
    known, members = _by_class(np.asarray(values, dtype=np.float64), labels)
    random, size = np.random.default_rng(seed), len(known)
    part = max(1, _AT_ONCE // size)
    means = [
        _class_means(random.multinomial(size, np.full(size, 1 / size), min(part, RESAMPLES - start)), known, members)
        for start in range(0, RESAMPLES, part)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _by_class(values: np.ndarray, labels: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The values, and (images, classes): 1 where an image is of a class."""
    if not len(values) or len(values) != len(labels):
        raise ValueError(f"a mean over classes needs a label for every value; got {len(values)}, {len(labels)}")
    known, places = np.unique(np.asarray(labels), return_inverse=True)
    return values, np.eye(len(known))[places]


def _class_means(counts: np.ndarray, values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(samples,) means over classes, where `counts` (samples, images) says how often an image was drawn."""
    drawn = counts @ members
    means = np.divide(counts @ (values[:, None] * members), drawn, out=np.zeros_like(drawn), where=drawn > 0)
    return np.asarray(means.sum(1) / (drawn > 0).sum(1))
