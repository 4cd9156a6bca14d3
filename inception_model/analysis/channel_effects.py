"""What one channel does further on: the classes it pushes on an image, and the weights that read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..architecture.address import reaches
from ..architecture.network import InceptionBlock
from ..architecture.spec import BRANCHES, UNITS, HeadName, NetworkSpec
from ..inference.classifier import Classifier
from ..inference.trace import NODES, BlockTrace


@dataclass(frozen=True)
class ChannelEffects:
    """How much every channel of a module pushes some classes of one head, on one image.

    `values[node]` is (classes, channels): the sum over positions of activation times gradient of the class's logit.
    `exact` says that this is the logit's very share (only average pool and a linear layer follow); elsewhere it is the
    first-order estimate.
    """

    head: HeadName
    classes: tuple[int, ...]
    values: dict[str, Tensor]
    exact: bool


def channel_effects(
    classifier: Classifier, block: BlockTrace, head: HeadName, classes: Sequence[int]
) -> ChannelEffects:
    """Pushes of all channels of a module's eight nodes towards `classes` of `head`, for the first image of the trace.

    Raises ValueError where the head hangs before the module. Runs from the module's input on and leaves no hooks.
    """
    network = classifier.network
    if not reaches(network.spec, block.name, head):
        raise ValueError(f"{head} hangs before {block.name}: no channel of {block.name} can push it")
    start = classifier.to_input(block.input[:1]).clone().requires_grad_(True)
    with torch.enable_grad():
        nodes = _run_block(network.block(block.name), start)
        logits = getattr(network.heads_from(network.trunk(nodes["output"], resume=block.name)), head)[0]
        found = [
            torch.autograd.grad(logits[index], [nodes[name] for name in NODES], retain_graph=True) for index in classes
        ]
    values = {
        name: torch.stack([(gradients[i] * nodes[name].detach()).sum(dim=(2, 3))[0] for gradients in found])
        for i, name in enumerate(NODES)
    }
    last = block.name == network.spec.module_names[-1]
    return ChannelEffects(head, tuple(classes), {name: v.float().cpu() for name, v in values.items()}, last)


def _run_block(block: InceptionBlock, x: Tensor) -> dict[str, Tensor]:
    """The eight tensors of a module, each part of the graph that leads to the output."""
    nodes = {"input": x, "1x1": block.unit("1x1")(x)}
    for kind in ("3x3", "5x5"):
        nodes[f"{kind}_reduce"] = block.unit(f"{kind}_reduce")(x)
        nodes[kind] = block.unit(kind)(nodes[f"{kind}_reduce"])
    nodes["pool_proj"] = block.unit("pool_proj")(block.pool(x))
    nodes["output"] = torch.cat([nodes[unit] for unit in UNITS if not unit.endswith("_reduce")], dim=1)
    return nodes


@dataclass(frozen=True)
class Reader:
    """One weight that reads a channel: where it leads (`unit`, `channel` there) and its signed strength.

    A 1x1 convolution has one weight per channel; of a larger kernel it is the sum of its entries.
    """

    unit: str
    channel: int
    weight: float


def strongest_readers(classifier: Classifier, module: str, node: str, channel: int, count: int = 6) -> list[Reader]:
    """The weights of largest magnitude that read a channel: in the next module, in the branch behind a reduction, in
    the module itself for its input, and in the classifier after the last module."""
    network, spec = classifier.network, classifier.network.spec
    if node.endswith("_reduce"):
        kind = node.removesuffix("_reduce")
        return _strongest({f"{module} {kind}": network.block(module).unit(kind).conv.weight}, channel, count)
    place = channel if node in ("input", "output") else _place(spec, module, node) + channel
    following = spec.module_names[spec.module_names.index(module) + 1 :]
    target = module if node == "input" else (following[0] if following else None)
    if target is None:
        return _strongest({"main": network.classifier.weight}, place, count)
    units = {f"{target} {name}": network.block(target).unit(name).conv.weight for name in _FIRST}
    return _strongest(units, place, count)


_FIRST = ("1x1", "3x3_reduce", "5x5_reduce", "pool_proj")
"""The convolutions of a module that read its input."""


def _place(spec: NetworkSpec, module: str, node: str) -> int:
    """Where a branch starts in the module's output; `node` is the branch's last convolution."""
    kind = next(kind for kind in BRANCHES if node in (kind, f"{kind}_proj"))
    return int(spec.block(module).channels(kind).start)


def _strongest(weights: dict[str, Tensor], channel: int, count: int) -> list[Reader]:
    readers = []
    for unit, weight in weights.items():
        reading = weight[:, channel].detach().float().flatten(1).sum(1) if weight.ndim == 4 else weight[:, channel]
        strongest = reading.abs().topk(min(count, len(reading))).indices.tolist()
        readers += [Reader(unit, i, float(reading[i])) for i in strongest]
    return sorted(readers, key=lambda reader: -abs(reader.weight))[:count]
