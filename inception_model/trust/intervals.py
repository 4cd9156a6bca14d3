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
