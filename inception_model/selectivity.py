"""What channels answer to: tuning curves, and whether branches specialise in orientation, frequency or colour.

For the summary channels are shown sine gratings and their answers are averaged over phase. An index of 0 means no
preference, 1 means that only one orientation (or one frequency, or only colour) gets an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .capture import forward_hooks
from .classifier import Classifier
from .network import branch_unit
from .preprocessing import Box
from .progress import Progress, report
from .spec import BRANCHES, BranchKind
from .stimuli import FAMILIES, SIDE, ColourAxis, Grating, stimulus_set

Array = NDArray[np.floating]
ORIENTATIONS = tuple(range(0, 180, 30))
FREQUENCIES = (2.0, 4.0, 8.0, 16.0, 28.0)
PHASES = (0.0, 90.0, 180.0, 270.0)
AXES: tuple[ColourAxis, ...] = ("grey", "red-green", "blue-yellow")


def module_responses(
    classifier: Classifier,
    module: str,
    images: Sequence[Image.Image],
    *,
    batch: int = 16,
    progress: Progress | None = None,
) -> dict[BranchKind, Array]:
    """Mean activation of every channel over its positions, per branch: (images, channels).

    The images are fed whole. Nothing behind the module is computed. The network is hooked while this runs: give it a
    classifier of its own (`Classifier.twin`).
    """
    found: dict[str, list[torch.Tensor]] = {kind: [] for kind in BRANCHES}
    block = classifier.network.block(module)
    units: dict[str, torch.nn.Module] = {kind: branch_unit(block, kind) for kind in BRANCHES}
    with torch.no_grad(), forward_hooks(units, lambda kind, _, output: found[kind].append(output.mean(dim=(2, 3)))):
        for start in range(0, len(images), batch):
            report(start, len(images), progress, None)
            whole = [classifier.preprocessing(image, Box(0, 0, *image.size)) for image in images[start : start + batch]]
            for name, _ in classifier.network.trunk(classifier.to_input(torch.cat(whole))):
                if name == module:
                    break
    return {kind: np.asarray(torch.cat(found[kind]).float().cpu()) for kind in BRANCHES}


@dataclass(frozen=True)
class TuningCurve:
    """How a channel answers as one parameter changes: mean activation over the map, one per value."""

    family: str
    parameter: str
    unit: str
    values: tuple[float, ...]
    responses: tuple[float, ...]

    @property
    def best(self) -> float:
        """The value with the strongest answer."""
        return self.values[int(np.argmax(self.responses))]


def tuning_curve(
    classifier: Classifier,
    module: str,
    branch: BranchKind,
    channel: int,
    family: str,
    parameter: str,
    values: Iterable[float] | int = 12,
    **fixed: object,
) -> TuningCurve:
    """Shows a channel a row of stimuli and measures its mean activation; hooks the network (`module_responses`)."""
    width = classifier.network.spec.block(module).width(branch)
    if not 0 <= channel < width:
        raise IndexError(f"{module} {branch} has {width} channels; there is no channel {channel} (they count from 0)")
    shown = stimulus_set(family, parameter, values, **fixed)
    responses = module_responses(classifier, module, [stimulus.image() for _, stimulus in shown])[branch][:, channel]
    unit = FAMILIES[family].RANGES[parameter].unit
    return TuningCurve(family, parameter, unit, tuple(v for v, _ in shown), tuple(responses.tolist()))


@dataclass(frozen=True)
class Selectivity:
    """Per channel, each (C,): indices from 0 to 1, and the preferred orientation (degrees) and frequency (cycles per
    image). NaN where a channel answered none of the gratings (`silent` counts those)."""

    orientation: Array
    preferred_orientation: Array
    frequency: Array
    preferred_frequency: Array
    colour: Array

    @property
    def silent(self) -> int:
        """Channels that answered no grating."""
        return int(np.isnan(self.orientation).sum())


def orientation_index(responses: Array, degrees: Sequence[float]) -> tuple[Array, Array]:
    """Responses (orientations, C) -> (1 - circular variance, preferred orientation in degrees), each (C,).

    The vector sum runs over twice the angle, because an orientation turned by 180 degrees is itself.
    """
    turn = np.exp(2j * np.deg2rad(np.asarray(degrees, float)))[:, None]
    total = responses.sum(axis=0)
    mean = _over((responses * turn).sum(axis=0), total)
    preferred = np.where(np.isnan(mean), np.nan, np.rad2deg(np.angle(mean)) / 2 % 180)
    return np.abs(mean), preferred


def peak_index(responses: Array, values: Sequence[float]) -> tuple[Array, Array]:
    """Responses (values, C) -> (how alone the peak stands, the value at the peak), each (C,).

    The index is (peak - mean of the others) / (peak + mean of the others).
    """
    peak = responses.max(axis=0)
    others = (responses.sum(axis=0) - peak) / max(len(values) - 1, 1)
    index = _over(peak - others, peak + others)
    best = np.asarray(values, float)[responses.argmax(axis=0)]
    return index, np.where(np.isnan(index), np.nan, best)


def colour_index(colour: Array, grey: Array) -> Array:
    """Strongest responses (C,) to colour gratings and to grey ones -> colour / (colour + grey); 0.5: no difference."""
    return _over(colour, colour + grey)


def _over(part: Array, whole: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan))


def grating_set(side: int = SIDE) -> list[Image.Image]:
    """What `selectivity_from` reads: gratings of every colour axis, orientation, frequency and phase, in that order."""
    return [
        Grating(angle, cycles, phase, axis=axis).image(side)
        for axis in AXES
        for angle in ORIENTATIONS
        for cycles in FREQUENCIES
        for phase in PHASES
    ]


def selectivity_from(responses: Array) -> Selectivity:
    """Responses (pictures, C) to `grating_set()`, none negative -> what every channel prefers."""
    shape = (len(AXES), len(ORIENTATIONS), len(FREQUENCIES), len(PHASES), -1)
    grey, *coloured = np.asarray(responses, np.float64).reshape(shape).mean(axis=3)  # (orientations, frequencies, C)
    orientation, preferred = orientation_index(grey.max(axis=1), ORIENTATIONS)
    frequency, best = peak_index(grey.max(axis=0), FREQUENCIES)
    colour = colour_index(np.maximum(*coloured).max(axis=(0, 1)), grey.max(axis=(0, 1)))
    return Selectivity(orientation, preferred, frequency, best, colour)


def branch_selectivity(
    classifier: Classifier, module: str, *, progress: Progress | None = None
) -> dict[BranchKind, Selectivity]:
    """Selectivity of every channel of a module's four branches; hooks the network while it runs."""
    responses = module_responses(classifier, module, grating_set(), progress=progress)
    return {kind: selectivity_from(answers) for kind, answers in responses.items()}
