"""What a Network in Network costs, by arithmetic on its spec."""

from __future__ import annotations

from ..architecture.nin import NinSpec
from .layers import Layer
from .report import Cost


def nin_layers(spec: NinSpec) -> list[Layer]:
    """Every weighted layer on one image of the spec's size; rows are `mlpconv1`, ... and `linear`."""
    layers: list[Layer] = []
    channels = 3
    for index, (mlpconv, side) in enumerate(zip(spec.layers, spec.sides, strict=True), 1):
        for place, width in enumerate(mlpconv.widths):
            kernel = 1 if place else mlpconv.kernel
            normalised = spec.batch_norm is not None
            name = "conv" if not place else f"1x1_{place}"
            layers.append(Layer(f"mlpconv{index}", name, channels, width, kernel, side, normalised=normalised))
            channels = width
    if spec.ending != "average":
        layers.append(Layer("linear", "linear", channels * spec.sides[-1] ** 2, spec.classes))
    return layers


def nin_cost(spec: NinSpec) -> Cost:
    """All of them together."""
    return Cost.of(nin_layers(spec))
