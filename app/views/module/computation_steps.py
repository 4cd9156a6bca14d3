"""The computation of one number as steps for the page: titles, grids of real values with their pictures, and sums."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inception_model.analysis.computation import Computation, Contribution, WeightedSum
from inception_model.architecture.spec import BRANCHES, BranchKind, NetworkSpec
from inception_model.drawing import colormaps
from inception_model.drawing.encoding import data_url, png_bytes
from inception_model.drawing.numbers import amount, number, signed_number
from inception_model.drawing.palette import BRANCH_NAMES, node_name

LARGEST = 3
"""Contributions that are named."""
CELLS = 54
"""Cells that a grid has beside each other at least, where there are so many."""
BROAD = 2.2
"""How many times as broad as high a grid of many cells is."""


@dataclass(frozen=True)
class Grid:
    """Values as small squares: a tile of `side` x `side` positions for each of `names`, `across` tiles in a row.

    `weights` where the squares are products; `places` names a tile's positions, one text for each.
    """

    label: str
    names: list[str]
    places: list[str]
    side: int
    across: int
    picture: str
    values: list[float]
    weights: list[float] | None

    @property
    def gap(self) -> int:
        """Cells between tiles."""
        return 1 if self.side > 1 else 0

    @property
    def columns(self) -> int:
        """Cells beside each other, gaps included."""
        return self.across * (self.side + self.gap) - self.gap

    @property
    def rows(self) -> int:
        """Cells above each other, gaps included."""
        return -(-len(self.names) // self.across) * (self.side + self.gap) - self.gap


@dataclass(frozen=True)
class Step:
    """One step: its title, a grid, the contributions that are named, a sum line by line, and multiply-adds.

    `bars`: what, multiply-adds, and the share of the largest.
    """

    title: str
    grid: Grid | None = None
    largest: list[tuple[str, str, str]] = field(default_factory=list)
    sums: list[tuple[str, str]] = field(default_factory=list)
    bars: list[tuple[str, int, float]] = field(default_factory=list)
    note: str = ""


def steps_of(spec: NetworkSpec, found: Computation) -> list[Step]:
    """The steps from the module's input to the number, in the order in which the network takes them."""
    last, names = found.last, input_names(spec, found)
    if found.reduction is None or found.reduced is None:
        return [*_from_input(found, last, names), _sum(last, found.shown), _price(spec, found)]
    one = found.reduction
    tiles = [f"reduce {channel}" for channel in range(len(last.inputs))]
    window = f"{last.inputs.shape[-1]}×{last.inputs.shape[-1]}"
    reduced, products = (
        _grid(title, tiles, last, weighted)
        for title, weighted in (("reduced numbers in the window", False), ("products in the window", True))
    )
    return [
        *_from_input(found, one, names),
        Step(f"+ bias, ReLU: reduce {one.channel}", sums=_lines(one)),
        Step(f"All {len(tiles)} reductions in the {window} window", grid=reduced, note=_border(last)),
        Step(f"{window}: each times its weight", grid=products, largest=_largest(last, tiles, place=True)),
        _sum(last, found.shown),
        _price(spec, found),
    ]


def input_names(spec: NetworkSpec, found: Computation) -> list[str]:
    """The module's input channels by the branch that made each: `input 37 (4c 3×3 17)`; pooled ones with the place."""
    place = spec.module_names.index(found.module)
    if place == 0:
        made_by = [f"conv2 {channel}" for channel in range(spec.stem.conv2)]
    else:
        before = spec.blocks[place - 1]
        made_by = [
            f"{before.name} {BRANCH_NAMES[kind]} {channel}"
            for kind in BRANCHES
            for channel in range(before.width(kind))
        ]
    names = [f"input {channel} ({maker})" for channel, maker in enumerate(made_by)]
    if found.pooled_from is None:
        return names
    return [
        f"{name} at row {row}, column {column}"
        for name, (row, column) in zip(names, found.pooled_from.tolist(), strict=True)
    ]


def _from_input(found: Computation, one: WeightedSum, names: list[str]) -> list[Step]:
    """What a 1x1 convolution reads, and its products."""
    where = f"row {one.row}, column {one.column}"
    title = f"{len(names)} numbers of {found.module}'s input at {where}"
    if found.pooled_from is not None:
        title = f"Max pool 3×3: the largest of each of {len(names)} channels about {where}"
    doing = f"{node_name(one.node)} {one.channel}"
    return [
        Step(title, grid=_grid("input", names, one, False)),
        Step(f"{doing}: each times its weight", grid=_grid("products", names, one, True), largest=_largest(one, names)),
    ]


def _grid(label: str, names: list[str], one: WeightedSum, weighted: bool) -> Grid:
    side = one.inputs.shape[-1]
    shown = np.asarray(one.products if weighted else one.inputs)
    scale = colormaps.full_scale(shown)
    colours = (colormaps.signed if weighted else colormaps.magma)(shown, scale)
    pitch = side + (side > 1)
    across = min(len(names), int(max(CELLS, (len(names) * pitch**2 * BROAD) ** 0.5) / pitch))
    places = [""] if side == 1 else [_place(one, place) for place in range(side * side)]
    ends = (
        f"from {signed_number(-scale)} (blue) to {signed_number(scale)} (red)"
        if weighted
        else f"from 0 to {number(scale)}"
    )
    weights = _plain(np.asarray(one.weights)) if weighted else None
    picture = data_url(png_bytes(_tiled(colours, np.asarray(one.inside), across)))
    return Grid(f"{label}, {ends}", names, places, side, across, picture, _plain(np.asarray(one.inputs)), weights)


def _tiled(colours: NDArray[np.uint8], inside: NDArray[np.bool_], across: int) -> Image.Image:
    """Colours (C, k, k, 3) as tiles side by side, one pixel per cell; clear between them and beyond the border."""
    count, side = colours.shape[:2]
    gap, down = int(side > 1), -(-count // across)
    tiles = np.zeros((down * across, side + gap, side + gap, 4), np.uint8)
    tiles[:count, :side, :side, :3] = colours
    tiles[:count, :side, :side, 3] = np.where(inside, 255, 0)
    pixels = tiles.reshape(down, across, side + gap, side + gap, 4).swapaxes(1, 2)
    pixels = pixels.reshape(down * (side + gap), across * (side + gap), 4)
    return Image.fromarray(np.ascontiguousarray(pixels[: len(pixels) - gap, : pixels.shape[1] - gap]))


def _place(one: WeightedSum, place: int) -> str:
    if not one.inside.flatten()[place]:
        return "beyond the border"
    row, column = one.position(place)
    return f"row {row}, column {column}"


def _plain(values: NDArray[np.float64]) -> list[float]:
    """Five digits, for a page that shows three."""
    return [float(f"{value:.5g}") for value in values.flatten().tolist()]


def _border(one: WeightedSum) -> str:
    outside = int((~one.inside).sum())
    return f"{outside} of {one.inside.numel()} positions lie beyond the border and count as 0." if outside else ""


def _largest(one: WeightedSum, names: list[str], place: bool = False) -> list[tuple[str, str, str]]:
    """Name, value times weight, and product of the largest contributions; then the sum of all others."""
    named = one.largest(LARGEST)

    def words(each: Contribution) -> tuple[str, str, str]:
        where = f" at row {each.row}, column {each.column}" if place else ""
        return (
            f"{names[each.channel]}{where}",
            f"{number(each.value)} × {signed_number(each.weight)}",
            signed_number(each.product),
        )

    rest = one.products.numel() - len(named)
    others = one.total - sum(each.product for each in named)
    told = [words(each) for each in named]
    left = f"{rest} others" if named else f"all {rest} are zero"
    return [*told, (left, "", signed_number(others))] if rest else told


def _lines(one: WeightedSum) -> list[tuple[str, str]]:
    return [
        (f"sum of {one.products.numel():,} products", signed_number(one.total)),
        ("bias", signed_number(one.bias)),
        ("before the ReLU", signed_number(one.pre_activation)),
        ("after it", number(one.result)),
    ]


def _sum(last: WeightedSum, shown: float) -> Step:
    """The last sum; where the network computes with few digits, what it got as well."""
    note = "The number at the cross."
    if number(shown) != number(last.result):
        note = f"The number at the cross: {number(shown)} with the digits that the network computes with."
    return Step(f"+ bias, ReLU: {node_name(last.node)} {last.channel}", sums=_lines(last), note=note)


def _price(spec: NetworkSpec, found: Computation) -> Step:
    """Multiply-adds of the branch at one position, with and without its reduction."""
    cost, block = found.cost, spec.block(found.module)
    if cost.without is None:
        note = f"For all {cost.total // block.in_channels} channels of the branch at this position"
        if found.pooled_from is not None:
            note += f"; without this projection all {block.in_channels} would be passed on"
        note += "."
        return Step("Multiply-adds", bars=[("here", cost.total, 1.0)], note=note)
    kind: BranchKind = "3x3" if found.last.node.startswith("3x3") else "5x5"
    most = max(cost.total, cost.without)
    bars = [
        ("with the reduction", cost.total, cost.total / most),
        ("without it", cost.without, cost.without / most),
    ]
    times = cost.without / cost.total
    less = f"{times:.1f} times as many without" if times >= 1 else f"{1 / times:.1f} times as many with"
    note = (
        f"For all {block.width(kind)} channels of the branch at this position: {amount(cost.reduction)} to reduce, "
        f"{amount(cost.convolution)} for the {BRANCH_NAMES[kind]}; {less}."
    )
    return Step("What the reduction saves: multiply-adds", bars=bars, note=note)
