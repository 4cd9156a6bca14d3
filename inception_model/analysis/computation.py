"""How one number of a module's map was computed: every product, the bias and the ReLU, in float64.

The number is followed down to the module's input: through the convolution that made it, and through the 1x1 reduction
or the max pool before that. Batch norm is folded into weights and bias, as `weights.fold_batch_norm` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..architecture.network import ConvUnit
from ..architecture.spec import BRANCH_UNIT, UNITS, BlockSpec, BranchKind
from ..inference.classifier import Classifier
from ..inference.trace import BlockTrace

POOL_REACH = 1
"""Positions that the module's 3x3 max pool looks to each side."""


@dataclass(frozen=True)
class Contribution:
    """One product of a weighted sum: channel and position of what was read, its value and its weight."""

    channel: int
    row: int
    column: int
    value: float
    weight: float

    @property
    def product(self) -> float:
        """What it adds to the sum."""
        return self.value * self.weight


@dataclass(frozen=True)
class WeightedSum:
    """One convolution at one position, for one of its channels.

    `inputs` and `weights` (Cin, k, k) in float64; `inside` (k, k) is False where the window lies beyond the border, so
    that its inputs are the zeros of the padding. `row`, `column`: the position that is computed, the window's middle.
    """

    node: str
    channel: int
    row: int
    column: int
    inputs: Tensor
    weights: Tensor
    inside: Tensor
    bias: float

    @property
    def products(self) -> Tensor:
        """(Cin, k, k): what each input adds."""
        return self.inputs * self.weights

    @property
    def total(self) -> float:
        """The sum of all products."""
        return float(self.products.sum())

    @property
    def pre_activation(self) -> float:
        """With the bias: what the ReLU gets."""
        return self.total + self.bias

    @property
    def result(self) -> float:
        """After the ReLU."""
        return max(self.pre_activation, 0.0)

    def largest(self, count: int) -> tuple[Contribution, ...]:
        """The products of largest magnitude, largest first; those that are zero are left out."""
        products, side = self.products.flatten(), self.inputs.shape[-1]
        found = []
        for index in products.abs().topk(min(count, len(products))).indices.tolist():
            channel, place = divmod(index, side * side)
            row, column = self.position(place)
            value, weight = float(self.inputs.flatten()[index]), float(self.weights.flatten()[index])
            if value * weight:
                found.append(Contribution(channel, row, column, value, weight))
        return tuple(found)

    def position(self, place: int) -> tuple[int, int]:
        """Row and column on the map of the window's cell `place`, counted row by row; beyond the border as well."""
        side = self.inputs.shape[-1]
        return self.row + place // side - side // 2, self.column + place % side - side // 2


@dataclass(frozen=True)
class PositionCost:
    """Multiply-adds of a branch at one position, for all of its channels: a reduction is shared by all of them.

    `reduction` is 0 and `without` None where the branch has no reduction; `without` is the convolution right on the
    module's input.
    """

    reduction: int
    convolution: int
    without: int | None

    @property
    def total(self) -> int:
        """As the network runs."""
        return self.reduction + self.convolution


@dataclass(frozen=True)
class Computation:
    """How one number came about.

    `last`: the convolution whose result it is. `reduced` (R, k, k): what its window holds before the reduction's ReLU
    (None without a reduction), and `reduction`: the reduced number that contributes most, in full; where none
    contributes, channel 0 in the window's middle. `pooled_from` (Cin, 2): row and column where the max pool found each
    of `last.inputs` (None without a pool). `shown`: the number in the trace, computed in the network's precision.
    """

    module: str
    last: WeightedSum
    reduced: Tensor | None
    reduction: WeightedSum | None
    pooled_from: Tensor | None
    cost: PositionCost
    shown: float


def computation(
    classifier: Classifier, block: BlockTrace, node: str, channel: int, row: int, column: int
) -> Computation:
    """Computes one number of a module again, from the module's input in the first image of a trace.

    `node` is one of the module's convolutions (`spec.UNITS`). Raises KeyError for another node and IndexError for a
    channel or a position that is not there.
    """
    if node not in UNITS:
        raise KeyError(f"{node!r} is no convolution of a module; allowed: {', '.join(UNITS)}")
    found = block.node(node)[0]
    for what, index, size in zip(("channel", "row", "column"), (channel, row, column), found.shape, strict=True):
        if not 0 <= index < size:
            raise IndexError(f"no {what} {index} in {block.name} {node}; allowed: 0 to {size - 1}")
    network_block = classifier.network.block(block.name)
    weights, biases = folded(network_block.unit(node))
    x = block.input[0]
    reduced = reduction = pooled_from = None
    inputs, inside = _window(x, row, column, weights.shape[-1] // 2)
    if node == "pool_proj":
        inputs, pooled_from = _pooled(x, row, column)
    elif node in ("3x3", "5x5"):
        reduce_weights, reduce_biases = folded(network_block.unit(f"{node}_reduce"))
        reduced = torch.einsum("rc,chw->rhw", reduce_weights.flatten(1), inputs) + reduce_biases[:, None, None]
        # The border is padded with zeros behind the reduction, whatever the reduction's bias.
        inputs = reduced.clamp_min(0) * inside
    last = WeightedSum(node, channel, row, column, inputs, weights[channel].clone(), inside, float(biases[channel]))
    if reduced is not None:
        best = last.largest(1)
        place = (best[0].channel, best[0].row, best[0].column) if best else (0, row, column)
        reduction = computation(classifier, block, f"{node}_reduce", *place).last
    cost = position_cost(network_block.spec, _branch(node))
    return Computation(block.name, last, reduced, reduction, pooled_from, cost, float(found[channel, row, column]))


def folded(unit: ConvUnit) -> tuple[Tensor, Tensor]:
    """Weights (Cout, Cin, k, k) and biases (Cout,) of a convolution with its batch norm folded in, float64 on the
    CPU."""
    conv, bn = unit.conv, unit.bn

    def exact(tensor: Tensor) -> Tensor:
        return tensor.detach().cpu().double()

    weight = exact(conv.weight)
    bias = weight.new_zeros(len(weight)) if conv.bias is None else exact(conv.bias)
    if bn is None:
        return weight, bias
    assert bn.running_mean is not None
    assert bn.running_var is not None
    mean, variance = exact(bn.running_mean), exact(bn.running_var)
    fused = fuse_conv_bn_weights(weight, bias, mean, variance, bn.eps, exact(bn.weight), exact(bn.bias))
    return fused[0].detach(), fused[1].detach()


def position_cost(block: BlockSpec, branch: BranchKind) -> PositionCost:
    """Multiply-adds of a branch at one position; padding counts as well, as everywhere."""
    kernel = {"3x3": 3, "5x5": block.five_kernel}.get(branch, 1)
    width, reduced = block.width(branch), block.reduce_width(branch)
    direct = kernel**2 * block.in_channels * width
    if reduced is None:
        return PositionCost(0, direct, None)
    return PositionCost(block.in_channels * reduced, kernel**2 * reduced * width, direct)


def _branch(node: str) -> BranchKind:
    return next(kind for kind, unit in BRANCH_UNIT.items() if node in (unit, f"{kind}_reduce"))


def _window(x: Tensor, row: int, column: int, reach: int) -> tuple[Tensor, Tensor]:
    """A map (C, H, W) around a position, in float64: (C, k, k) with zeros beyond the border, and where it is inside."""
    (rows, down), (columns, right) = _cut(row, x.shape[1], reach), _cut(column, x.shape[2], reach)
    side = 2 * reach + 1
    values = torch.zeros(len(x), side, side, dtype=torch.float64)
    inside = torch.zeros(side, side, dtype=torch.bool)
    values[:, down, right] = x[:, rows, columns].double()
    inside[down, right] = True
    return values, inside


def _cut(index: int, size: int, reach: int) -> tuple[slice, slice]:
    """The part of a window that lies on the map: there, and in the window."""
    first, stop = max(index - reach, 0), min(index + reach + 1, size)
    return slice(first, stop), slice(first - index + reach, stop - index + reach)


def _pooled(x: Tensor, row: int, column: int) -> tuple[Tensor, Tensor]:
    """The largest value of each channel in the 3x3 window around a position (C, 1, 1), and where it lies (C, 2)."""
    rows, columns = (_cut(index, size, POOL_REACH)[0] for index, size in zip((row, column), x.shape[1:], strict=True))
    window = x[:, rows, columns].double()
    values, places = window.flatten(1).max(dim=1)
    width = window.shape[2]
    return values[:, None, None], torch.stack([rows.start + places // width, columns.start + places % width], dim=1)
