"""What some of an index's images say to every channel of the modules: what groups of channels are found from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..architecture.spec import BRANCH_UNIT, BRANCHES, NetworkSpec
from ..visualization.places import Place
from .channels import channels_of
from .observing import Floats

SAMPLE = 400
"""Images, evenly spread over those that could be decoded."""
STEPS = 255
"""A peak in the small file is one of so many parts of the channel's largest one, or 0."""


def outputs(spec: NetworkSpec) -> dict[str, NDArray[np.intp]]:
    """Of each module the numbers of its output's channels among all, in the order of the concatenation."""
    lanes = channels_of(spec).lanes
    numbers = np.arange(channels_of(spec).total)
    return {
        module: np.concatenate([numbers[lanes[Place(BRANCH_UNIT[kind], module)]] for kind in BRANCHES])
        for module in spec.module_names
    }


@dataclass(frozen=True, eq=False)
class Sample:
    """`images` (S,): their numbers; `peaks` (S, C): the largest activation of every module output's channel, module
    by module."""

    spec: NetworkSpec
    images: NDArray[np.int32]
    peaks: Floats

    def of(self, module: str) -> Floats:
        """(S, channels of the module's output)."""
        start = 0
        for name, numbers in outputs(self.spec).items():
            if name == module:
                return self.peaks[:, start : start + len(numbers)]
            start += len(numbers)
        raise KeyError(f"unknown module {module!r}; allowed: {', '.join(self.spec.module_names)}")


def sampled(spec: NetworkSpec, images: NDArray[np.int32], peaks: Floats) -> Sample:
    """Of images (N,) and their peaks (N, all channels) an even choice, with what belongs to modules' outputs."""
    chosen = np.linspace(0, len(images) - 1, min(SAMPLE, len(images))).round().astype(int)
    columns = np.concatenate(list(outputs(spec).values()))
    return Sample(spec, images[chosen], np.maximum(peaks[np.ix_(chosen, columns)], 0))


def packed(sample: Sample, largest: Floats) -> NDArray[np.uint8]:
    """The peaks as bytes: parts of each channel's largest peak among all images (all channels,)."""
    scale = largest[np.concatenate(list(outputs(sample.spec).values()))]
    shares = sample.peaks / np.where(scale > 0, scale, 1)
    return np.clip(np.rint(shares * STEPS), 0, STEPS).astype(np.uint8)


def unpacked(spec: NetworkSpec, images: NDArray[np.int32], parts: NDArray[np.uint8], largest: Floats) -> Sample:
    """What `packed` made bytes of, but for their rounding."""
    scale = np.maximum(largest[np.concatenate(list(outputs(spec).values()))], 0)
    return Sample(spec, images, (parts.astype(np.float32) * (scale / STEPS)).astype(np.float32))
