"""The networks that studies train: published ones made narrower, and twins that cost as many multiply-adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..architecture.nin import MlpConv, NinSpec, nin
from ..architecture.spec import NetworkSpec
from ..cost.layers import unit_widths, with_widths
from ..cost.nin import nin_cost

BATCH_NORM = 1e-5
"""In every network of a study, so that short trainings get somewhere."""
NAIVE_MODULES = 3
"""How many modules the networks have that are compared with stacked naive ones: 3a, 3b and 4a."""


def scaled(width: int, factor: float) -> int:
    """A number of channels times a factor, at least one."""
    return max(1, round(width * factor))


def narrowed(spec: NetworkSpec, factor: float) -> NetworkSpec:
    """The network with every width times a factor, also in the stem and in the auxiliary heads; the graph stays."""
    stem = replace(
        spec.stem,
        conv1=scaled(spec.stem.conv1, factor),
        conv2_reduce=scaled(spec.stem.conv2_reduce, factor),
        conv2=scaled(spec.stem.conv2, factor),
    )
    aux = tuple(replace(head, conv=scaled(head.conv, factor), fc=scaled(head.fc, factor)) for head in spec.aux)
    found = replace(spec, name=f"{spec.name} x {factor:g}", stem=stem, aux=aux)
    for block in spec.blocks:
        found = with_widths(
            found, block.name, {unit: scaled(width, factor) for unit, width in unit_widths(block).items()}
        )
    return found


def first_modules(spec: NetworkSpec, count: int = NAIVE_MODULES) -> NetworkSpec:
    """The network's first modules with the main classifier on top, without auxiliary heads."""
    blocks = spec.blocks[:count]
    names = {block.name for block in blocks[:-1]}
    pools = tuple((after, pool) for after, pool in spec.pools if after in names)
    return replace(spec, name=f"{spec.name}, {blocks[-1].name}", blocks=blocks, pools=pools, aux=())


def nin_like(classes: int, size: int, factor: float, perceptron: int = 2) -> NinSpec:
    """Network in Network with every width but the classes times a factor, and `perceptron` (0 to 2) 1x1 layers on each
    convolution: without any, what is left is a plain chain of convolutions."""
    spec = nin(classes, size)
    layers = []
    for layer in spec.layers:
        first, _, last = layer.widths
        kept = {0: (first,), 1: (first, last), 2: layer.widths}[perceptron]
        layers.append(replace(layer, widths=tuple(scaled(width, factor) for width in kept)))
    final = layers[-1]
    layers[-1] = MlpConv(final.kernel, (*final.widths[:-1], classes), final.stride)
    name = f"{spec.name} x {factor:g}, {perceptron} 1x1"
    return replace(spec, name=name, layers=tuple(layers), batch_norm=BATCH_NORM)


def equally_dear(make: Callable[[float], NinSpec], macs: int) -> NinSpec:
    """The network among `make(factor)` whose multiply-adds are closest to `macs`, which grow with the factor."""
    low, high = 0.0, 1.0
    while nin_cost(make(high)).macs < macs:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if nin_cost(make(middle)).macs < macs else (low, middle)
    return min(make(low), make(high), key=lambda spec: abs(nin_cost(spec).macs - macs))
