"""Whether a network that a file describes can be asked at all, and at what cost: before its weights are read."""

from __future__ import annotations

from functools import lru_cache

import torch

from ..architecture.network import GoogLeNet
from ..architecture.spec import NetworkSpec
from ..cost.layers import map_sides, trunk_layers
from .checkpoint import CheckpointError
from .limits import MAX_MACS, MAX_VALUES


def require_fitting_layers(spec: NetworkSpec, size: int) -> None:
    """Refuses a network whose layers don't fit one another, or an image of that side."""
    try:
        _tried(spec.folded(), size)  # batch norm changes no shape, and on `meta` costs more than all the rest
    except Exception as error:
        raise CheckpointError(
            f"its layers don't fit one another on {size} x {size} pixels ({type(error).__name__})"
        ) from error


@lru_cache(maxsize=64)
def _tried(spec: NetworkSpec, size: int) -> None:
    """Raises what torch raises; what went well once is not tried again."""
    with torch.device("meta"):  # shapes only: costs no memory, however large the spec says it is
        GoogLeNet(spec).eval().forward_heads(torch.empty(1, 3, size, size))


def require_affordable(spec: NetworkSpec, size: int) -> None:
    """Refuses a network that would take an image of that side far more than any GoogLeNet."""
    layers = trunk_layers(spec, spec.blocks, map_sides(spec, size), None)
    for found, most, what in (
        (sum(layer.macs for layer in layers), MAX_MACS, "multiply-adds (MACs)"),
        (sum(layer.out_channels * layer.side**2 for layer in layers), MAX_VALUES, "values between its layers"),
    ):
        if found > most:
            raise CheckpointError(
                f"an image of {size} x {size} pixels would take {found / 1e6:,.0f} million {what}, at most "
                f"{most / 1e6:,.0f} million are run; narrow its layers or make its input smaller"
            )
