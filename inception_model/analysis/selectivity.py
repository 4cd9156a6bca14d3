"""What channels answer to: tuning curves, and whether branches specialise in orientation, frequency or colour.

For the summary channels are shown sine gratings and their answers are averaged over phase. An index of 0 means no
preference, 1 means that only one orientation (or one frequency, or only colour) gets an answer. A channel that answers
every grating less than plain grey is not selective: what it prefers of them is no preference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..architecture.spec import BRANCH_UNIT, UNITS, BranchKind
from ..images.geometry import Box
from ..images.patterns import SIDE, ColourAxis, Grating
from ..images.stimuli import FAMILIES, MIDDLE_GREY, stimulus_set
from ..inference.classifier import Classifier
from ..inference.trace import NODES, forward_hooks
from ..progress import Progress, report

Array = NDArray[np.floating]
ORIENTATIONS = tuple(range(0, 180, 30))
FREQUENCIES = (2.0, 4.0, 8.0, 16.0, 28.0)
PHASES = (0.0, 90.0, 180.0, 270.0)
AXES: tuple[ColourAxis, ...] = ("grey", "red-green", "blue-yellow")
EQUAL = 1e-5
"""Answers whose relative differences are below this are equal: float32 sums over a map are no more exact."""


def _run_to(
    classifier: Classifier, module: str, images: Sequence[Image.Image], keep: Callable[[str, torch.Tensor], None]
) -> None:
    """Feeds the images whole and hands every node of the module to `keep`; nothing behind the module is computed."""
    block = classifier.network.block(module)
    watched: dict[str, torch.nn.Module] = {module: block, **{unit: block.unit(unit) for unit in UNITS}}

    def seen(name: str, first_input: torch.Tensor, output: torch.Tensor) -> None:
        if name == module:
            keep("input", first_input)
            keep("output", output)
        else:
            keep(name, output)

    whole = [classifier.preprocessing(image, Box(0, 0, *image.size)) for image in images]
    with torch.no_grad(), forward_hooks(watched, seen):
        for name, _ in classifier.network.trunk(classifier.to_input(torch.cat(whole))):
            if name == module:
                break


def node_maps(classifier: Classifier, module: str, image: Image.Image) -> dict[str, Array]:
    """What every node of a module (`capture.NODES`) answers to one picture, fed whole: (channels, height, width).

    The network is hooked while this runs: give it a classifier of its own (`Classifier.twin`).
    """
    found: dict[str, Array] = {}
    _run_to(classifier, module, [image], lambda node, output: found.update({node: output[0].float().cpu().numpy()}))
    return found


def node_responses(
    classifier: Classifier,
    module: str,
    images: Sequence[Image.Image],
    *,
    batch: int = 8,
    progress: Progress | None = None,
) -> dict[str, Array]:
    """Mean activation of every channel over its positions, per node of the module: (images, channels).

    The images are fed whole. Nothing behind the module is computed. The network is hooked while this runs: give it a
    classifier of its own (`Classifier.twin`).
    """
    found: dict[str, list[torch.Tensor]] = {node: [] for node in NODES}
    for start in range(0, len(images), batch):
        report(start, len(images), progress, None)
        _run_to(
            classifier,
            module,
            images[start : start + batch],
            lambda node, output: found[node].append(output.mean(dim=(2, 3))),
        )
    return {node: np.asarray(torch.cat(parts).float().cpu()) for node, parts in found.items()}


@dataclass(frozen=True)
class TuningCurve:
    """How a channel answers as one parameter changes: mean activation over the map, one per value; `grey` is its
    answer to an even middle grey."""

    family: str
    parameter: str
    unit: str
    values: tuple[float, ...]
    responses: tuple[float, ...]
    grey: float

    @property
    def selective(self) -> bool:
        """Whether any value gets more than plain grey; where none does, the strongest answer is no preference."""
        return max(self.responses) > self.grey * (1 + EQUAL)

    @property
    def best(self) -> float:
        """The value with the strongest answer."""
        return self.values[int(np.argmax(self.responses))]


@dataclass(frozen=True)
class Tuning:
    """The tuning curves of all channels of a module. `responses[node]` is (values + 1, channels): the last row
    answers to middle grey."""

    family: str
    parameter: str
    values: tuple[float, ...]
    responses: Mapping[str, Array]

    def curve(self, node: str, channel: int) -> TuningCurve:
        """The curve of one channel of a node."""
        *answers, grey = self.responses[node][:, channel].tolist()
        unit = FAMILIES[self.family].RANGES[self.parameter].unit
        return TuningCurve(self.family, self.parameter, unit, self.values, tuple(answers), grey)


def tune(
    classifier: Classifier,
    module: str,
    family: str,
    parameter: str,
    values: Iterable[float] | int = 12,
    **fixed: object,
) -> Tuning:
    """Shows a module a row of stimuli, and middle grey; hooks the network (`node_responses`)."""
    shown = stimulus_set(family, parameter, values, **fixed)
    pictures = [*(stimulus.image() for _, stimulus in shown), MIDDLE_GREY.image()]
    return Tuning(family, parameter, tuple(v for v, _ in shown), node_responses(classifier, module, pictures))


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
    """`tune` for one channel of a branch; raises IndexError where the branch has no such channel."""
    width = classifier.network.spec.block(module).width(branch)
    if not 0 <= channel < width:
        raise IndexError(f"{module} {branch} has {width} channels; there is no channel {channel} (they count from 0)")
    return tune(classifier, module, family, parameter, values, **fixed).curve(BRANCH_UNIT[branch], channel)


@dataclass(frozen=True)
class Selectivity:
    """Per channel, each (C,): indices from 0 to 1, and the preferred orientation (degrees) and frequency (cycles per
    image). NaN where a channel answered none of the gratings (`silent` counts those) or is `not_selective`: it answered
    some, and all of them less than plain grey."""

    orientation: Array
    preferred_orientation: Array
    frequency: Array
    preferred_frequency: Array
    colour: Array
    not_selective: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def silent(self) -> int:
        """Channels that answered no grating."""
        return int(np.isnan(self.orientation).sum() - self.not_selective.sum())


def orientation_index(responses: Array, degrees: Sequence[float]) -> tuple[Array, Array]:
    """Responses (orientations, C) -> (1 - circular variance, preferred orientation in degrees), each (C,).

    The vector sum runs over twice the angle, because an orientation turned by 180 degrees is itself. A channel that
    answers all orientations alike prefers none (NaN), nor does one whose answers cancel each other, as those to two
    orientations at right angles do.
    """
    turn = np.exp(2j * np.deg2rad(np.asarray(degrees, float)))[:, None]
    total = responses.sum(axis=0)
    mean = _over((responses * turn).sum(axis=0), total)
    none = np.logical_or(_alike(responses), np.abs(mean) <= EQUAL)
    preferred = np.where(none, np.nan, np.rad2deg(np.angle(mean)) / 2 % 180)
    return np.abs(mean), preferred


def peak_index(responses: Array, values: Sequence[float]) -> tuple[Array, Array]:
    """Responses (values, C) -> (how alone the peak stands, the value at the peak), each (C,).

    The index is (peak - mean of the others) / (peak + mean of the others). A channel that answers all values alike
    has no peak (NaN).
    """
    peak = responses.max(axis=0)
    others = (responses.sum(axis=0) - peak) / max(len(values) - 1, 1)
    index = _over(peak - others, peak + others)
    best = np.asarray(values, float)[responses.argmax(axis=0)]
    return index, np.where(_alike(responses), np.nan, best)


def _alike(responses: Array) -> Array:
    """Responses (values, C), none negative -> (C,) bool: all zero, or the same but for rounding."""
    return np.asarray(np.ptp(responses, axis=0) <= EQUAL * responses.max(axis=0))


def colour_index(colour: Array, grey: Array) -> Array:
    """Strongest responses (C,) to colour gratings and to grey ones -> colour / (colour + grey); 0.5: no difference."""
    return _over(colour, colour + grey)


def _over(part: Array, whole: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan))


def grating_set(side: int = SIDE, check: Callable[[], object] = lambda: None) -> list[Image.Image]:
    """What `selectivity_from` reads: gratings of every colour axis, orientation, frequency and phase, in that order.

    `check` is called again and again on the way, and may raise.
    """
    found: list[Image.Image] = []
    for axis, angle in product(AXES, ORIENTATIONS):
        check()
        found += [Grating(angle, cycles, phase, axis=axis).image(side) for cycles in FREQUENCIES for phase in PHASES]
    return found


def selectivity_from(responses: Array, even: Array) -> Selectivity:
    """Answers (pictures, C) to `grating_set()` and (C,) to plain grey, none negative -> what every channel prefers."""
    shape = (len(AXES), len(ORIENTATIONS), len(FREQUENCIES), len(PHASES), -1)
    grey, *coloured = np.asarray(responses, np.float64).reshape(shape).mean(axis=3)  # (orientations, frequencies, C)
    orientation, preferred = orientation_index(grey.max(axis=1), ORIENTATIONS)
    frequency, best = peak_index(grey.max(axis=0), FREQUENCIES)
    colour = colour_index(np.maximum(*coloured).max(axis=(0, 1)), grey.max(axis=(0, 1)))
    strongest = np.asarray(responses).max(axis=0)
    dull = strongest <= np.asarray(even) * (1 + EQUAL)
    orientation, preferred, frequency, best, colour = (
        np.where(dull, np.nan, found) for found in (orientation, preferred, frequency, best, colour)
    )
    return Selectivity(orientation, preferred, frequency, best, colour, dull & (strongest > 0))


@dataclass(frozen=True)
class RankEffect:
    """How far groups differ in a number, judged by ranks: Kruskal and Wallis's H as a share of the most it can be.

    `share` is epsilon squared, the share of the ranks' variance that lies between the groups: 0 where they are
    alike, 1 where they do not overlap. `chance`: what it is on average where groups don't differ at all; `limit`: what
    chance stays below in 95 of 100 cases. All three are NaN with fewer than two groups or without any difference.
    """

    share: float
    chance: float
    limit: float


# 95% points of the chi-squared distribution with 1, 2, 3 degrees of freedom: H of two, three, four alike groups.
_CHI_SQUARED_95 = (3.841, 5.991, 7.815)


def rank_effect(groups: Sequence[Array]) -> RankEffect:
    """Compares two to four groups of numbers, each (n,); NaNs are left out, tied numbers share their mean rank."""
    present = [group for group in (np.asarray(g, np.float64)[~np.isnan(g)] for g in groups) if len(group)]
    every = np.concatenate(present) if present else np.zeros(0)
    if len(present) < 2 or len(np.unique(every)) < 2:
        return RankEffect(np.nan, np.nan, np.nan)
    _, place, counts = np.unique(every, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    parts = np.split(ranks, np.cumsum([len(group) for group in present])[:-1])
    between = sum(len(part) * (part.mean() - ranks.mean()) ** 2 for part in parts)
    freedom, most = len(present) - 1, len(ranks) - 1
    share = float(between / ((ranks - ranks.mean()) ** 2).sum())
    return RankEffect(share, freedom / most, _CHI_SQUARED_95[freedom - 1] / most)


COMPARED = ("orientation", "frequency", "preferred_frequency", "colour")
"""Fields of Selectivity that have an order, so that branches can be compared in them (angles go round)."""


def branch_differences(summary: Mapping[BranchKind, Selectivity]) -> dict[str, RankEffect]:
    """How far a module's branches differ in each of COMPARED."""
    return {name: rank_effect([getattr(found, name) for found in summary.values()]) for name in COMPARED}
