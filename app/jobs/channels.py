"""What is asked about a module's channels on a photo: statistics, pushes, measured support, how a number came about."""

from __future__ import annotations

import numpy as np
import torch

from app.state import network
from app.state.panel import Panel
from app.state.selection import Unit
from inception_model.analysis.channel_effects import ChannelEffects, channel_effects
from inception_model.analysis.computation import Computation, computation
from inception_model.analysis.receptive_field import ReceptiveField, gradient_support, receptive_field, support_box
from inception_model.architecture.address import output_origin
from inception_model.architecture.spec import BRANCH_UNIT, HeadName
from inception_model.drawing.atlas import ChannelStats, channel_stats
from inception_model.images.geometry import Box
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import BlockTrace


def values_of(block: BlockTrace, node: str) -> np.ndarray:
    """A node's activations on the first image, (C, H, W)."""
    return np.asarray(block.node(node)[0])


def stats_of(panel: Panel, module: str, node: str) -> ChannelStats:
    """Statistics of a node's channels on a panel's photo."""
    return panel.remember(
        ("module-stats", module, node), lambda: channel_stats(values_of(panel.trace().block(module), node))
    )


def effects_of(panel: Panel, module: str, head: HeadName, count: int = 3) -> ChannelEffects:
    """Pushes of all the module's channels towards the head's `count` top classes on a panel's photo."""
    block, logits = panel.trace().block(module), panel.trace().logits(head)[0]
    classes = logits.topk(min(count, len(logits))).indices.tolist()
    return panel.ask(("module-effects", module, head), lambda twin: channel_effects(twin, block, head, classes))


def support_of(panel: Panel, unit: Unit) -> np.ndarray | None:
    """The measured gradient support of a unit (S, S); None where no convolution of a module computes it."""
    source = source_of(unit)
    if source is None:
        return None
    photo = panel.photo

    def measure(twin: Classifier) -> np.ndarray:
        return np.asarray(
            gradient_support(twin, twin.prepare(photo.image, photo.square), *source, unit.row, unit.column)
        )

    return panel.ask(("module-support", unit), measure)


def box_of(support: np.ndarray, share: float) -> Box | None:
    """The rectangle, in the network's pixels, that holds `share` of a measured support; None if all is zero."""
    return support_box(torch.from_numpy(support), share)


def field_of(unit: Unit) -> ReceptiveField:
    """What the units of the channel can see: of a concatenation, what the branch that the channel comes from sees."""
    source = source_of(unit) if unit.node == "output" else None
    return receptive_field(network.spec(), unit.module, unit.node if source is None else source[1])


def computation_of(panel: Panel, unit: Unit) -> Computation | None:
    """The computation of the number at the position that is looked at; None where no module computes it."""
    source = source_of(unit)
    if source is None:
        return None
    module, node, channel = source
    kinds: dict[str, str] = {str(kind): name for kind, name in BRANCH_UNIT.items()}
    block, convolution = panel.trace().block(module), kinds.get(node, node)
    return panel.remember(
        ("module-computation", unit),
        lambda: computation(network.service().classifier, block, convolution, channel, unit.row, unit.column),
    )


def source_of(unit: Unit) -> tuple[str, str, int] | None:
    """Module, branch or convolution, and channel that compute this channel; None for what the stem or a pool between
    modules computes."""
    spec, module = network.spec(), unit.module
    if unit.node not in ("input", "output"):
        return module, unit.node, unit.channel
    if unit.node == "input":
        place = spec.module_names.index(module)
        if place == 0 or spec.pool_after(spec.module_names[place - 1]) is not None:
            return None
        module = spec.module_names[place - 1]
    part = output_origin(spec, module, unit.channel)
    assert part.branch is not None
    assert part.channel is not None
    return module, part.branch, part.channel
