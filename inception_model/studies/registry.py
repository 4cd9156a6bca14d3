"""The studies as data: which networks are trained beside each other, what is held equal, and what is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from ..architecture.network import GoogLeNet
from ..architecture.nin import NetworkInNetwork
from ..architecture.variants import batchnorm
from ..cost.naive import NaiveNetwork
from ..cost.nin import nin_cost
from ..cost.report import Cost, compute_report
from ..training.objective import Trainable
from .networks import equally_dear, first_modules, narrowed, nin_like

Equal = Literal["images", "time"]
"""What all variants get as much of."""
AUX_WEIGHTS = (0.0, 0.1, 0.3, 1.0)
WIDTHS = (0.5, 0.75, 1.0)
"""Of the naive and the reduced networks, as parts of the study's own width."""


@dataclass(frozen=True)
class Variant:
    """A network to train: `build` makes it, untrained. `cost`: on one image, as it answers. `series`: which line of a
    chart it is on. `aux_weight`: of each auxiliary loss; None: as the settings say."""

    name: str
    build: Callable[[], Trainable]
    cost: Cost
    series: str = ""
    aux_weight: float | None = None


@dataclass(frozen=True)
class Study:
    """`variants(classes, size, width)` are trained with equal seeds; `base`: the one that the others are measured
    against. `watched`: modules whose gradients are measured."""

    question: str
    variants: Callable[[int, int, float], tuple[Variant, ...]]
    base: str
    equal: Equal = "images"
    watched: tuple[str, ...] = ()


def _auxiliary(classes: int, size: int, width: float) -> tuple[Variant, ...]:
    spec = narrowed(batchnorm(classes), width)
    cost = compute_report(spec, size).total
    return tuple(Variant(f"weight {w:g}", partial(GoogLeNet, spec), cost, aux_weight=w) for w in AUX_WEIGHTS)


def _one_by_one(classes: int, size: int, width: float) -> tuple[Variant, ...]:
    full = nin_like(classes, size, width)
    macs = nin_cost(full).macs
    plain, single = (equally_dear(partial(nin_like, classes, size, perceptron=layers), macs) for layers in (0, 1))
    named = {"no 1x1 layer": plain, "one 1x1 layer": single, "two 1x1 layers": full}
    return tuple(Variant(name, partial(NetworkInNetwork, spec), nin_cost(spec)) for name, spec in named.items())


def _pooling(classes: int, size: int, width: float) -> tuple[Variant, ...]:
    spec = nin_like(classes, size, width)
    connected = replace(spec, ending="connected", name=f"{spec.name}, connected")
    named = {
        "average pooling": spec,
        "fully connected": connected,
        "fully connected, dropout": replace(connected, ending="connected, dropout", name=f"{connected.name}, dropout"),
    }
    return tuple(Variant(name, partial(NetworkInNetwork, spec), nin_cost(spec)) for name, spec in named.items())


def _naive(classes: int, size: int, width: float) -> tuple[Variant, ...]:
    found = []
    for part in WIDTHS:
        spec = first_modules(narrowed(batchnorm(classes), part * width))
        report = compute_report(spec, size, "figure-2a")
        reduced, naive = f"reduced x {part:g}", f"naive x {part:g}"
        found.append(Variant(reduced, partial(GoogLeNet, spec), report.total, "reduced"))
        found.append(Variant(naive, partial(NaiveNetwork, spec), report.total_naive, "naive"))
    return tuple(found)


STUDIES: dict[str, Study] = {
    "auxiliary": Study(
        "what the auxiliary losses bring: their weight, with equal images",
        _auxiliary,
        base=f"weight {AUX_WEIGHTS[0]:g}",
        watched=("3a", "4a"),
    ),
    "one-by-one": Study(
        "what 1x1 layers add to Network in Network at equal multiply-adds", _one_by_one, base="no 1x1 layer"
    ),
    "pooling": Study(
        "average pooling against fully connected layers, at the end of Network in Network",
        _pooling,
        base="fully connected",
    ),
    "naive": Study(
        "three modules of Figure 2(a), stacked, against three reduced ones, in equal time",
        _naive,
        base=f"reduced x {WIDTHS[-1]:g}",
        equal="time",
    ),
}
"""Every study by the name that the command and its file have."""
