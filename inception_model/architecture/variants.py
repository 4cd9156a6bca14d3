"""Every published variant of the network as a row of differences from Table 1.

Source: Szegedy et al., "Going deeper with convolutions" (arXiv 1409.4842), Table 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from .spec import AuxSpec, BlockSpec, LRNSpec, NetworkSpec, PoolSpec, StemSpec

# Table 1: name -> (1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj).
TABLE_1: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def chain_blocks(
    widths: dict[str, tuple[int, int, int, int, int, int]], in_channels: int, five_kernel: int = 5
) -> tuple[BlockSpec, ...]:
    """Modules in a row: each one's input is the one before's output."""
    blocks: list[BlockSpec] = []
    for name, row in widths.items():
        blocks.append(BlockSpec(name, in_channels, *row, five_kernel=five_kernel))
        in_channels = blocks[-1].out_channels
    return tuple(blocks)


_POOLS = (("3b", PoolSpec()), ("4e", PoolSpec()))
_PAPER_LRN = LRNSpec(size=5, alpha=1e-4, beta=0.75, k=1.0)
# TensorFlow's depth_radius 5, bias 2, alpha 1e-4, beta 0.5, in torch's meaning (alpha is divided by size there).
_TF_LRN = LRNSpec(size=11, alpha=0.0011, beta=0.5, k=2.0)


def _aux(pool: Literal["avg5x3", "adaptive4"]) -> tuple[AuxSpec, ...]:
    return (AuxSpec("aux1", after="4a", pool=pool), AuxSpec("aux2", after="4d", pool=pool))


def paper(classes: int = 1000) -> NetworkSpec:
    """The network as published and as BVLC Caffe trained it: conv bias, LRN, true 5x5, aux average pool 5x5/3."""
    return NetworkSpec(
        "paper", classes, StemSpec(lrn=_PAPER_LRN), chain_blocks(TABLE_1, 192), _POOLS, _aux("avg5x3"), dropout=0.4
    )


def batchnorm(classes: int = 1000) -> NetworkSpec:
    """This project's own training variant: Table 1 with batch norm, true 5x5, no LRN, adaptive aux pool."""
    return NetworkSpec(
        "batchnorm",
        classes,
        StemSpec(),
        chain_blocks(TABLE_1, 192),
        _POOLS,
        _aux("adaptive4"),
        batch_norm=1e-5,
        dropout=0.2,
    )


def torchvision(classes: int = 1000) -> NetworkSpec:
    """`torchvision.models.googlenet`: BN eps 1e-3, 3x3 in the 5x5's place, pool4 2x2, adaptive aux pool."""
    return NetworkSpec(
        "torchvision",
        classes,
        StemSpec(),
        chain_blocks(TABLE_1, 192, five_kernel=3),
        (("3b", PoolSpec()), ("4e", PoolSpec(2, 2))),
        _aux("adaptive4"),
        batch_norm=1e-3,
        dropout=0.2,
    )


def inception5h(classes: int = 1008) -> NetworkSpec:
    """Google's TensorFlow release: 4a 3x3 of 204, 5a 5x5 reduce of 48, its own LRN and padding, no aux heads."""
    widths = dict(TABLE_1)
    widths["4a"] = (192, 96, 204, 16, 48, 64)
    widths["5a"] = (256, 160, 320, 48, 128, 128)
    return NetworkSpec(
        "inception5h",
        classes,
        StemSpec(conv1_padding=(2, 3), lrn=_TF_LRN),
        chain_blocks(widths, 192),
        _POOLS,
        (),
        dropout=0.4,
    )


def tiny(classes: int = 7, *, batch_norm: float | None = None) -> NetworkSpec:
    """Table 1 with every width divided by sixteen: the same graph, small enough for tests and demonstrations."""
    widths = {
        name: (row[0] // 16, row[1] // 16, row[2] // 16, max(1, row[3] // 16), row[4] // 16, row[5] // 16)
        for name, row in TABLE_1.items()
    }
    aux = tuple(replace(a, conv=8, fc=16) for a in _aux("adaptive4"))
    return NetworkSpec(
        "tiny", classes, StemSpec(4, 4, 12), chain_blocks(widths, 12), _POOLS, aux, batch_norm=batch_norm, dropout=0.2
    )


SPECS: dict[str, Callable[[int], NetworkSpec]] = {
    "paper": paper,
    "batchnorm": batchnorm,
    "torchvision": torchvision,
    "inception5h": inception5h,
    "tiny": tiny,
}
"""Every variant by name; each takes the number of classes."""

DEFAULT_CLASSES = {"paper": 1000, "batchnorm": 1000, "torchvision": 1000, "inception5h": 1008, "tiny": 7}


def get_spec(name: str, classes: int | None = None) -> NetworkSpec:
    """The variant of that name; raises KeyError that lists the allowed ones."""
    if name not in SPECS:
        raise KeyError(f"unknown network {name!r}; allowed: {', '.join(SPECS)}")
    return SPECS[name](DEFAULT_CLASSES[name] if classes is None else classes)
