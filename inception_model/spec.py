"""The architecture as data: Table 1 of the paper, and each published variant as a row of differences.

Source: Szegedy et al., "Going deeper with convolutions" (arXiv 1409.4842), Table 1 and Figure 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

BranchKind = Literal["1x1", "3x3", "5x5", "pool"]
HeadName = Literal["aux1", "aux2", "main"]

BRANCHES: tuple[BranchKind, ...] = ("1x1", "3x3", "5x5", "pool")
"""The four branches, in the order in which a module concatenates them (Figure 2(b))."""

UNITS: tuple[str, ...] = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
"""The six convolutions of a module, named as in Table 1."""

HEADS: tuple[HeadName, ...] = ("aux1", "aux2", "main")
"""The three classifiers, in the order in which the image reaches them."""

BRANCH_UNIT: dict[BranchKind, str] = {"1x1": "1x1", "3x3": "3x3", "5x5": "5x5", "pool": "pool_proj"}
"""The convolution whose output is the branch's output."""


@dataclass(frozen=True)
class PoolSpec:
    """A max pool: window and stride in positions; every variant pads with ceil_mode, never with zeros."""

    kernel: int = 3
    stride: int = 2


@dataclass(frozen=True)
class LRNSpec:
    """Local response normalisation, in the meaning of `torch.nn.LocalResponseNorm`."""

    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True)
class StemSpec:
    """The layers before 3a: conv 7x7/2 - max pool - [LRN] - conv 1x1 - conv 3x3 - [LRN] - max pool.

    `conv1_padding` is (left/top, right/bottom) in pixels: (3, 3), or TensorFlow's SAME (2, 3).
    """

    conv1: int = 64
    conv2_reduce: int = 64
    conv2: int = 192
    conv1_padding: tuple[int, int] = (3, 3)
    lrn: LRNSpec | None = None


@dataclass(frozen=True)
class BlockSpec:
    """One Inception module: a row of Table 1. Widths are channels; `five_kernel` is 3 in torchvision's variant."""

    name: str
    in_channels: int
    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool_proj: int
    five_kernel: int = 5

    @property
    def out_channels(self) -> int:
        """Channels after the concatenation."""
        return self.one + self.three + self.five + self.pool_proj

    def width(self, branch: BranchKind) -> int:
        """Output channels of one branch."""
        return {"1x1": self.one, "3x3": self.three, "5x5": self.five, "pool": self.pool_proj}[branch]

    def reduce_width(self, branch: BranchKind) -> int | None:
        """Channels of the 1x1 reduction before the branch's convolution; None where there is none."""
        return {"1x1": None, "3x3": self.three_reduce, "5x5": self.five_reduce, "pool": None}[branch]

    def channels(self, branch: BranchKind) -> slice:
        """Where the branch's channels lie in the module's concatenated output."""
        start = 0
        for kind in BRANCHES:
            if kind == branch:
                return slice(start, start + self.width(kind))
            start += self.width(kind)
        raise ValueError(f"unknown branch {branch!r}; allowed: {', '.join(BRANCHES)}")


@dataclass(frozen=True)
class AuxSpec:
    """An auxiliary classifier (section 5): average pool - 1x1 conv - FC - dropout - linear.

    `pool` is "avg5x3" (the paper's 5x5 window, stride 3) or "adaptive4" (4x4 whatever the input's size).
    """

    name: HeadName
    after: str
    pool: Literal["avg5x3", "adaptive4"] = "avg5x3"
    conv: int = 128
    fc: int = 1024
    dropout: float = 0.7


@dataclass(frozen=True)
class NetworkSpec:
    """A whole network. `batch_norm` is the epsilon of the batch norm in every convolution, or None for conv bias."""

    name: str
    classes: int
    stem: StemSpec
    blocks: tuple[BlockSpec, ...]
    pools: tuple[tuple[str, PoolSpec], ...]
    aux: tuple[AuxSpec, ...]
    batch_norm: float | None = None
    dropout: float = 0.4

    @property
    def module_names(self) -> tuple[str, ...]:
        """Names of the Inception modules, 3a to 5b."""
        return tuple(block.name for block in self.blocks)

    @property
    def heads(self) -> tuple[HeadName, ...]:
        """Names of the classifiers that this network has, in depth order."""
        return (*(aux.name for aux in self.aux), "main")

    def block(self, name: str) -> BlockSpec:
        """The module of that name; raises KeyError that lists the allowed ones."""
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(f"unknown module {name!r}; allowed: {', '.join(self.module_names)}")

    def pool_after(self, name: str) -> PoolSpec | None:
        """The max pool that follows a module, if any (after 3b and 4e)."""
        return dict(self.pools).get(name)

    def folded(self) -> NetworkSpec:
        """The same network with batch norm folded away: every convolution has a bias instead."""
        return replace(self, batch_norm=None)

    def with_classes(self, classes: int) -> NetworkSpec:
        """The same network for another number of classes."""
        return replace(self, classes=classes)


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
