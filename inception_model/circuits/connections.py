"""The weights between a channel and those before and behind it, as kernels.

A channel behind a 1x1 reduction is expanded through it: the effective kernel on a channel of the module's input is the
sum over the reduced channels of (kernel on the reduced channel) x (its weight on the input channel), with batch norm
folded into both. That is what the two convolutions do together without the ReLU between them; the real network has
that ReLU, so an expanded kernel says which way a channel pushes, not by how much it does on a photo. (Cammarata et al.
2020, Voss et al. 2021: "expanded weights".)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..analysis.computation import folded
from ..architecture.address import UnitAddress, output_origin
from ..architecture.network import ConvUnit, GoogLeNet
from ..architecture.spec import BRANCH_UNIT, BRANCHES, DEFAULT_HEAD, NetworkSpec
from ..drawing.palette import node_name
from ..inference.classifier import Classifier

CONNECTIONS = 12
"""How many of each side are shown where nobody says otherwise."""

IMAGE = "image"
"""Stands for the convolution before conv1: its channels are the image's three colours."""

_NOTHING_LEFT_OUT = "no ReLU is left out: one convolution lies between"
_LEFT_OUT = "expanded through {}, without the ReLU that stands behind it in the network"


@dataclass(frozen=True)
class Connection:
    """A channel before or behind the one that is looked at, and the kernel (k, k) that leads to it, float64.

    `unit`: a convolution's channel; a colour of the image (`image:0`) or a class (`main:341`) stands there as well.
    `through`: the reduction that the kernel was expanded through, or None.
    """

    unit: UnitAddress
    kernel: Tensor
    through: str | None

    @property
    def strength(self) -> float:
        """The kernel's Euclidean norm: what connections are sorted by."""
        return float(self.kernel.norm())

    @property
    def total(self) -> float:
        """The sum of its weights, what an even map of ones adds: above zero it speaks for, below zero against."""
        return float(self.kernel.sum())

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "unit": str(self.unit),
            "strength": self.strength,
            "total": self.total,
            "through": self.through,
            "kernel": self.kernel.tolist(),
        }


@dataclass(frozen=True)
class Circuit:
    """A channel with what it reads and what reads it, each strongest first and complete.

    `bias`: what is added where the kernels lie inside of the map whole. `between`: what stands between the channel and
    those that it reads, in words.
    """

    unit: UnitAddress
    reads: tuple[Connection, ...]
    read_by: tuple[Connection, ...]
    bias: float
    between: str

    def as_dict(self, count: int = CONNECTIONS) -> dict[str, Any]:
        """Plain data with the `count` strongest of each side."""
        return {
            "unit": str(self.unit),
            "between": self.between,
            "bias": self.bias,
            "reads_in_all": len(self.reads),
            "read_by_in_all": len(self.read_by),
            "reads": [each.as_dict() for each in self.reads[:count]],
            "read_by": [each.as_dict() for each in self.read_by[:count]],
        }


def circuit(classifier: Classifier, unit: UnitAddress) -> Circuit:
    """What a channel reads and what reads it, from the weights alone: no image is needed and nothing is hooked."""
    network = classifier.network
    kernels, bias, through = effective_kernel(network, unit)
    reads = [
        Connection(source, kernel, through)
        for source, kernel in zip(_sources(network.spec, unit), kernels, strict=True)
    ]
    return Circuit(unit, _sorted(reads), _sorted(list(_readers(network, unit))), bias, _between(network.spec, unit))


def effective_kernel(network: GoogLeNet, unit: UnitAddress) -> tuple[Tensor, float, str | None]:
    """Kernels (Cin, k, k) of a channel on what stands before its reduction, the bias, and the reduction or None.

    Without a reduction they are the convolution's own. The bias holds where the window lies inside of the map: beyond
    the border the network pads with zeros behind the reduction, whose bias is missing there.
    """
    weights, biases = folded(_conv(network, unit.module, unit.conv))
    kernel, bias, reduction = weights[unit.channel], float(biases[unit.channel]), _reduction(unit.conv)
    if reduction is None:
        return kernel, bias, None
    first, offsets = folded(_conv(network, unit.module, reduction))
    expanded = torch.einsum("rhw,ri->ihw", kernel, first.flatten(1))
    return expanded, bias + float((kernel.sum(dim=(1, 2)) * offsets).sum()), reduction


def _readers(network: GoogLeNet, unit: UnitAddress) -> Iterator[Connection]:
    """Every channel or class whose (effective) kernel reads this one; auxiliary heads are left out."""
    spec = network.spec
    behind = _behind_reduction(unit.conv)
    if behind is not None:
        yield from _column(network, unit.module, behind, unit.channel, None)
        return
    if unit.module is None and unit.conv == "conv1":
        yield from _column(network, None, "conv2", unit.channel, "conv2_reduce")
        return
    place, following = 0, 0
    if unit.module is not None:
        kind = next(kind for kind in BRANCHES if BRANCH_UNIT[kind] == unit.conv)
        place = spec.block(unit.module).channels(kind).start
        following = spec.module_names.index(unit.module) + 1
    place += unit.channel
    if following == len(spec.module_names):
        for index, weight in enumerate(network.classifier.weight[:, place].detach().cpu().double()):
            yield Connection(UnitAddress(None, DEFAULT_HEAD, index), weight.reshape(1, 1), None)
        return
    for conv in BRANCH_UNIT.values():
        yield from _column(network, spec.module_names[following], conv, place, _reduction(conv))


def _column(
    network: GoogLeNet, module: str | None, conv: str, place: int, reduction: str | None
) -> Iterator[Connection]:
    """How every channel of a convolution reads channel `place` of what stands before it, or before its reduction."""
    weights, _ = folded(_conv(network, module, conv))
    if reduction is None:
        kernels = weights[:, place]
    else:
        first, _ = folded(_conv(network, module, reduction))
        kernels = torch.einsum("orhw,r->ohw", weights, first[:, place].flatten())
    for channel, kernel in enumerate(kernels):
        yield Connection(UnitAddress(module, conv, channel), kernel, reduction)


def _sources(spec: NetworkSpec, unit: UnitAddress) -> list[UnitAddress]:
    """Who makes the channels that the effective kernel reads, in their order."""
    if unit.module is None:
        if unit.conv == "conv1":
            return [UnitAddress(None, IMAGE, colour) for colour in range(3)]
        return [UnitAddress(None, "conv1", channel) for channel in range(spec.stem.conv1)]
    place = spec.module_names.index(unit.module)
    if place == 0:
        return [UnitAddress(None, "conv2", channel) for channel in range(spec.stem.conv2)]
    before = spec.blocks[place - 1]
    return [unit_of(spec, before.name, channel) for channel in range(before.out_channels)]


def unit_of(spec: NetworkSpec, module: str, channel: int) -> UnitAddress:
    """The convolution's channel that a channel of a module's concatenated output is."""
    part = output_origin(spec, module, channel)
    assert part.branch is not None
    assert part.channel is not None
    return UnitAddress(module, BRANCH_UNIT[part.branch], part.channel)


def _between(spec: NetworkSpec, unit: UnitAddress) -> str:
    """What stands between a channel and those that it reads, and what the kernels leave out of it."""
    reduction = _reduction(unit.conv)
    steps = [_NOTHING_LEFT_OUT if reduction is None else _LEFT_OUT.format(node_name(reduction))]
    if unit.conv == "pool_proj":
        steps.append("read after the module's own 3×3 max pool")
    pooled = "the max pool and the response normalisation" if spec.stem.lrn else "the max pool"
    if unit.module is None and unit.conv != "conv1":
        steps.append(f"read after {pooled} behind conv1")
    elif unit.module is not None:
        place = spec.module_names.index(unit.module)
        if place == 0:
            steps.append(f"read after {pooled} behind conv2")
        elif spec.pool_after(spec.module_names[place - 1]) is not None:
            steps.append(f"read after the max pool behind {spec.module_names[place - 1]}")
    return "; ".join(steps)


def _reduction(conv: str) -> str | None:
    """The 1x1 convolution in front of one, if any."""
    return f"{conv}_reduce" if conv in ("3x3", "5x5", "conv2") else None


def _behind_reduction(conv: str) -> str | None:
    """The convolution that reads a reduction, if it is one."""
    return conv.removesuffix("_reduce") if conv.endswith("_reduce") else None


def _conv(network: GoogLeNet, module: str | None, conv: str) -> ConvUnit:
    if module is not None:
        return network.block(module).unit(conv)
    found = dict(network.conv_units())[conv]
    assert isinstance(found, ConvUnit)
    return found


def _sorted(found: list[Connection]) -> tuple[Connection, ...]:
    return tuple(sorted(found, key=lambda each: -each.strength))
