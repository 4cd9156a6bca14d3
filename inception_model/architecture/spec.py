"""The architecture as data: Table 1 of the paper, and each published variant as a row of differences.

Source: Szegedy et al., "Going deeper with convolutions" (arXiv 1409.4842), Table 1 and Figure 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

BranchKind = Literal["1x1", "3x3", "5x5", "pool"]
HeadName = Literal["aux1", "aux2", "main"]

BRANCHES: tuple[BranchKind, ...] = ("1x1", "3x3", "5x5", "pool")
"""The four branches, in the order in which a module concatenates them (Figure 2(b))."""

UNITS: tuple[str, ...] = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
"""The six convolutions of a module, named as in Table 1."""

STEM_UNITS: tuple[str, ...] = ("conv1", "conv2_reduce", "conv2")
"""The three convolutions before 3a, in the order of the image's way; also the names of their widths in `StemSpec`."""

HEADS: tuple[HeadName, ...] = ("aux1", "aux2", "main")
"""The three classifiers, in the order in which the image reaches them."""

DEFAULT_HEAD: HeadName = "main"
DEFAULT_MODULE = "4d"
"""The module that is shown where nobody has chosen one."""

DEFAULT_SIZE = 224
"""Side of the square image that the published networks take, in pixels."""

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
