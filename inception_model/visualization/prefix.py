"""The part of the network up to a place, with the values before the ReLUs and ReLUs of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor

from ..architecture.network import ConvUnit, GoogLeNet, InceptionBlock
from ..architecture.spec import BRANCHES
from .places import Place

Rectifier = Callable[[Tensor], Tensor]
"""What stands for the ReLUs."""

Values = Mapping[Place, Tensor]
"""Before the ReLU, (N, C, H, W) of a convolution; (N, K) of a head."""


def values_at(network: GoogLeNet, x: Tensor, places: Collection[Place], rectify: Rectifier = torch.relu) -> Values:
    """Images (N, 3, H, W) -> what the places hold. Nothing behind the deepest of them is computed, of its module only
    what leads to it. The heads' own ReLUs stay as they are."""
    spec, found = network.spec, {}
    units = dict(network.conv_units())
    for name in ("conv1", "conv2_reduce", "conv2"):
        value = before_relu(units[name], x)
        if Place(name) in places:
            found[Place(name)] = value
            if len(found) == len(places):
                return found
        x = rectify(value)
        if name == "conv1":
            x = network.lrn1(network.pool1(x))
    x = network.pool2(network.lrn2(x))
    modules = [place.last_module(spec) for place in places]
    depth = max(spec.module_names.index(name) for name in modules if name is not None)
    heads = [place for place in places if place.is_head]
    for number, name in enumerate(spec.module_names[: depth + 1]):
        block = network.block(name)
        wanted = {place.unit for place in places if place.module == name}
        ends = number == depth and not heads
        inside = _inside(block, x, wanted if ends else wanted | set(_OUTPUTS), rectify)
        found |= {Place(unit, name): inside[unit] for unit in wanted}
        if ends:
            break
        x = torch.cat([rectify(inside[unit]) for unit in _OUTPUTS], dim=1)
        for place in heads:
            if place.last_module(spec) == name:
                found[place] = network.classify(x) if place.unit == "main" else network.aux_head(place.unit)(x)
        if spec.pool_after(name) is not None:
            x = network.get_submodule(f"pool_{name}")(x)
    return found


_OUTPUTS = ("1x1", "3x3", "5x5", "pool_proj")
assert len(_OUTPUTS) == len(BRANCHES)


def before_relu(unit: ConvUnit, x: Tensor) -> Tensor:
    """A convolution's values before its ReLU."""
    x = unit.conv(x if unit.pad is None else unit.pad(x))
    return x if unit.bn is None else unit.bn(x)


def _inside(block: InceptionBlock, x: Tensor, wanted: Collection[str], rectify: Rectifier) -> dict[str, Tensor]:
    """The wanted convolutions of a module, and the reductions on the way to them."""
    found = {}
    for kind in ("3x3", "5x5"):
        reduction = f"{kind}_reduce"
        if kind in wanted or reduction in wanted:
            found[reduction] = before_relu(block.unit(reduction), x)
        if kind in wanted:
            found[kind] = before_relu(block.unit(kind), rectify(found[reduction]))
    if "1x1" in wanted:
        found["1x1"] = before_relu(block.unit("1x1"), x)
    if "pool_proj" in wanted:
        found["pool_proj"] = before_relu(block.unit("pool_proj"), block.pool(x))
    return found
