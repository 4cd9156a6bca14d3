"""Which branch holds which family of channels: branch specialisation as in Voss et al. 2021, on any checkpoint.

The paper sorted channels by hand. Here a channel belongs to a family if made-up pictures say so: it answers one kind
at least `SELECTIVE` times as strongly as the other, and more than plain grey. A family is concentrated in a branch
where a draw of the branch's channels at random would seldom hold as many of it: the hypergeometric tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..analysis import selectivity
from ..analysis.selectivity import AXES, EQUAL, Selectivity
from ..architecture.spec import BRANCHES, BlockSpec, BranchKind
from ..images.geometry import Box
from ..images.patterns import SIDE, Arcs, Dots
from ..images.stimuli import MIDDLE_GREY
from ..inference.classifier import Classifier
from ..progress import Progress, report

Floats = NDArray[np.float64]
Marked = NDArray[np.bool_]

S = TypeVar("S", bound=np.generic)

SELECTIVE = 2.0
"""How many times as strongly one kind of picture must be answered as the other."""

_LOW, _HIGH = 4.0, 16.0
FAMILIES: dict[str, str] = {
    "orientation": "gratings of its best orientation get twice as much as those across it",
    "curves": "an arc gets twice as much as the same arc turned round, and more than any straight line",
    "colour": "colour gratings get twice as much as grey ones",
    "black-white": "grey gratings get twice as much as colour ones",
    "low frequency": f"of grey gratings, its best frequency gets twice the mean of the others: at most {_LOW:g} cycles",
    "high frequency": f"the same, at least {_HIGH:g} cycles per image",
    "centre-surround": "a dot gets twice as much as an even field of its colour, and no orientation twice another",
}
"""Every family and what puts a channel into it; a channel may belong to several."""

_ARC_RADII, _ARC_TURN, _STRAIGHT = (10.0, 20.0, 40.0), 30, 1024.0
_TURNS = tuple(range(0, 360, _ARC_TURN))
_SIGNS = (1.0, -1.0)
_DOT_RADII = (4.0, 8.0, 16.0, 28.0)
_DOT_SPACING = 68.0
"""Not a multiple of the maps' steps, so that the positions meet each dot elsewhere."""


@dataclass(frozen=True)
class Answers:
    """What all channels of a module's output answer to pictures, (pictures, C) each: the mean over positions, and the
    peak in the map's middle half, where the border has little to say."""

    mean: Floats
    peak: Floats


@dataclass(frozen=True)
class FamilyRow:
    """One family in one module: how many channels of each branch belong to it, and the chance of as many or more."""

    module: str
    family: str
    counts: dict[BranchKind, int]
    widths: dict[BranchKind, int]
    p: dict[BranchKind, float]

    @property
    def total(self) -> int:
        """Channels of the family in the whole module."""
        return sum(self.counts.values())

    def expected(self, kind: BranchKind) -> float:
        """How many the branch would hold if it made no difference."""
        return self.total * self.widths[kind] / sum(self.widths.values())


@dataclass(frozen=True)
class Families:
    """The families of a module: members (C,) by name over its concatenated output, and who answers nothing.

    `silent`: no picture gets anything; `not_selective`: some do, and none of them more than plain grey.
    """

    module: str
    members: dict[str, Marked]
    silent: Marked
    not_selective: Marked

    def of(self, channel: int) -> tuple[str, ...]:
        """The families of a channel of the concatenated output, or the word for one that has none."""
        if self.silent[channel]:
            return ("silent",)
        if self.not_selective[channel]:
            return ("not selective",)
        return tuple(name for name, members in self.members.items() if members[channel])

    def rows(self, block: BlockSpec) -> tuple[FamilyRow, ...]:
        """One row per family, with the hypergeometric p of each branch."""
        widths = {kind: block.width(kind) for kind in BRANCHES}
        found = []
        for name, members in self.members.items():
            counts = {kind: int(members[block.channels(kind)].sum()) for kind in BRANCHES}
            total = sum(counts.values())
            p = {kind: hypergeometric_tail(counts[kind], total, widths[kind], block.out_channels) for kind in BRANCHES}
            found.append(FamilyRow(self.module, name, counts, widths, p))
        return tuple(found)


def hypergeometric_tail(found: int, marked: int, drawn: int, whole: int) -> float:
    """The chance that `drawn` of `whole` channels hold at least `found` of the `marked` ones; exact in whole numbers.

    `scipy.stats.hypergeom.sf(found - 1, whole, marked, drawn)`, which this project needs for nothing else.
    """
    most = min(marked, drawn)
    ways = sum(math.comb(marked, held) * math.comb(whole - marked, drawn - held) for held in range(found, most + 1))
    return ways / math.comb(whole, drawn)


def picture_set(side: int = SIDE, progress: Progress | None = None) -> list[Image.Image]:
    """What `families_from` reads: plain grey, gratings, arcs, straight lines, dots and even fields of their colours."""
    found = [MIDDLE_GREY.image(side), *selectivity.grating_set(side, lambda: report(0, 1, progress, None))]
    for sign, radius, turn in product(_SIGNS, _ARC_RADII, _TURNS):
        report(0, 1, progress, None)
        found.append(Arcs(turn, radius, contrast=sign).image(side))
    for sign, turn in product(_SIGNS, _TURNS[: len(_TURNS) // 2]):
        found.append(Arcs(turn, _STRAIGHT, contrast=sign).image(side))
    for axis, sign in product(AXES, _SIGNS):
        report(0, 1, progress, None)
        found += [Dots(radius, _DOT_SPACING, sign, axis).image(side) for radius in _DOT_RADII]
        found.append(Dots(56, 4, sign, axis).image(side))  # they touch: an even field
    return found


def _gratings() -> int:
    return len(AXES) * len(selectivity.ORIENTATIONS) * len(selectivity.FREQUENCIES) * len(selectivity.PHASES)


def families_from(module: str, answers: Answers) -> Families:
    """Answers to `picture_set()` -> who belongs to which family."""
    grey_mean, grey_peak = answers.mean[0], answers.peak[0]
    grid = len(AXES), len(selectivity.ORIENTATIONS), len(selectivity.FREQUENCIES), len(selectivity.PHASES)
    ends = np.cumsum([1, _gratings(), len(_SIGNS) * len(_ARC_RADII) * len(_TURNS), len(_SIGNS) * (len(_TURNS) // 2)])
    _, gratings, _, _, _ = np.split(answers.mean, ends)
    _, _, arcs, lines, dots = np.split(answers.peak, ends)
    by_phase = gratings.reshape(*grid, -1).mean(axis=3)  # (axes, orientations, frequencies, C)
    grey, colour = by_phase[0], by_phase[1:].max(axis=(0, 1, 2))

    turned = grey.max(axis=1)
    across = np.roll(turned, len(selectivity.ORIENTATIONS) // 2, axis=0)
    best = turned.argmax(axis=0)[None]
    oriented = _twice(_at(turned, best), _at(across, best), grey_mean)

    along = grey.max(axis=0)
    most = along.argmax(axis=0)[None]
    peaked = _twice(
        _at(along, most), (along.sum(axis=0) - _at(along, most)) / (len(selectivity.FREQUENCIES) - 1), grey_mean
    )
    preferred = np.asarray(selectivity.FREQUENCIES)[most[0]]

    bent = arcs.reshape(-1, len(_TURNS), arcs.shape[1])
    opposite = np.roll(bent, len(_TURNS) // 2, axis=1).reshape(arcs.shape)
    place = arcs.argmax(axis=0)[None]
    curve = _twice(_at(arcs, place), _at(opposite, place), grey_peak) & (_at(arcs, place) > lines.max(axis=0))

    spots = dots.reshape(len(AXES) * len(_SIGNS), len(_DOT_RADII) + 1, -1)
    round_ones = np.stack([_twice(group[:-1].max(axis=0), group[-1], grey_peak) for group in spots])
    strongest = spots[:, :-1].max(axis=1).argmax(axis=0)[None]
    members = {
        "orientation": oriented,
        "curves": curve,
        "colour": _twice(colour, grey.max(axis=(0, 1)), grey_mean),
        "black-white": _twice(grey.max(axis=(0, 1)), colour, grey_mean),
        "low frequency": peaked & (preferred <= _LOW),
        "high frequency": peaked & (preferred >= _HIGH),
        "centre-surround": _at(round_ones, strongest) & ~oriented,
    }
    silent = answers.peak.max(axis=0) <= 0
    dull = (answers.mean.max(axis=0) <= grey_mean * (1 + EQUAL)) & (answers.peak.max(axis=0) <= grey_peak * (1 + EQUAL))
    return Families(module, members, silent, dull & ~silent)


def measured(
    classifier: Classifier,
    modules: Sequence[str] | None = None,
    *,
    batch: int = 8,
    progress: Progress | None = None,
) -> dict[str, Answers]:
    """What some modules (all without a choice) answer to `picture_set()`: each picture runs once, nothing is hooked."""
    names = classifier.network.spec.module_names
    wanted = names if modules is None else tuple(modules)
    for name in wanted:
        classifier.network.block(name)
    last = max(wanted, key=names.index)
    pictures = picture_set(classifier.preprocessing.size, progress)
    means: dict[str, list[torch.Tensor]] = {name: [] for name in wanted}
    peaks: dict[str, list[torch.Tensor]] = {name: [] for name in wanted}
    for start in range(0, len(pictures), batch):
        report(start, len(pictures), progress, None)
        whole = [classifier.preprocessing(each, Box(0, 0, *each.size)) for each in pictures[start : start + batch]]
        with torch.no_grad():
            for name, output in classifier.network.trunk(classifier.to_input(torch.cat(whole))):
                if name in means:
                    means[name].append(output.mean(dim=(2, 3)))
                    peaks[name].append(_middle(output).amax(dim=(2, 3)))
                if name == last:
                    break
    return {name: Answers(_stacked(means[name]), _stacked(peaks[name])) for name in wanted}


def families(
    classifier: Classifier, modules: Sequence[str] | None = None, *, progress: Progress | None = None
) -> dict[str, Families]:
    """The families of some modules (all without a choice)."""
    found = measured(classifier, modules, progress=progress)
    return {name: families_from(name, answers) for name, answers in found.items()}


@dataclass(frozen=True)
class ModuleSummary:
    """What made-up pictures say of one module: preferences among gratings by branch, and families."""

    selectivity: dict[BranchKind, Selectivity]
    families: Families
    rows: tuple[FamilyRow, ...]


def module_summary(classifier: Classifier, module: str, *, progress: Progress | None = None) -> ModuleSummary:
    """Both from one look at the pictures."""
    answers, block = measured(classifier, [module], progress=progress)[module], classifier.network.spec.block(module)
    gratings = answers.mean[1 : 1 + _gratings()]
    preferred = {
        kind: selectivity.selectivity_from(gratings[:, block.channels(kind)], answers.mean[0, block.channels(kind)])
        for kind in BRANCHES
    }
    found = families_from(module, answers)
    return ModuleSummary(preferred, found, found.rows(block))


def rows_of(classifier: Classifier, found: Mapping[str, Families]) -> tuple[FamilyRow, ...]:
    """All modules' rows."""
    spec = classifier.network.spec
    return tuple(row for name, each in found.items() for row in each.rows(spec.block(name)))


def _twice(strong: Floats, weak: Floats, grey: Floats) -> Marked:
    return np.asarray((strong >= SELECTIVE * weak) & (strong > grey * (1 + EQUAL)))


def _at(values: NDArray[S], place: NDArray[np.intp]) -> NDArray[S]:
    """Values (n, C) at one place (1, C) for each channel."""
    found: NDArray[S] = np.take_along_axis(values, place, axis=0)[0]
    return found


def _middle(maps: torch.Tensor) -> torch.Tensor:
    rows, columns = (slice(size // 4, size - size // 4) for size in maps.shape[2:])
    return maps[:, :, rows, columns]


def _stacked(parts: list[torch.Tensor]) -> Floats:
    return np.asarray(torch.cat(parts).double().cpu())
