"""Every weighted layer of a network and the size of its output, by arithmetic on the spec; and of its naive twins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..architecture.spec import STEM_UNITS, UNITS, AuxSpec, BlockSpec, BranchKind, NetworkSpec, PoolSpec

NaiveKind = Literal["same-outputs", "no-projections", "figure-2a"]

NAIVE: dict[NaiveKind, str] = {
    "same-outputs": "Each module keeps its input and its outputs; only the 1x1 reductions before the 3x3 and 5x5 "
    "convolutions are taken away.",
    "no-projections": "The pool projection goes too, as in the paper's Figure 2(a), but each module is still counted "
    "on the input it has in the real network.",
    "figure-2a": "Figure 2(a) at every module: without projections each module passes on all of its input's channels "
    "as well, so the next one sees ever more of them.",
}
"""The three meanings of "naive", one plain sentence each."""

DEFAULT_NAIVE: NaiveKind = "same-outputs"


@dataclass(frozen=True)
class Layer:
    """One convolution or linear layer on one image.

    `row`: conv1, conv2, a module, linear, aux1 or aux2; `branch`: within a module; `side`: of its square output, in
    positions; `normalised`: batch norm follows while training.
    """

    row: str
    name: str
    in_channels: int
    out_channels: int
    kernel: int = 1
    side: int = 1
    branch: BranchKind | None = None
    normalised: bool = False

    @property
    def weights(self) -> int:
        """Numbers in the kernel, without biases."""
        return self.kernel**2 * self.in_channels * self.out_channels

    @property
    def macs(self) -> int:
        """Multiply-adds on one image."""
        return self.weights * self.side**2


_FIELDS = dict(zip(UNITS, ("one", "three_reduce", "three", "five_reduce", "five", "pool_proj"), strict=True))


def unit_widths(block: BlockSpec) -> dict[str, int]:
    """Output channels of a module's six convolutions, by the names of UNITS, in Table 1's order."""
    return {unit: getattr(block, field) for unit, field in _FIELDS.items()}


def node_widths(block: BlockSpec) -> dict[str, int]:
    """Channels of all nodes of a module: its input, its six convolutions and their concatenation (`output`)."""
    return {**unit_widths(block), "input": block.in_channels, "output": block.out_channels}


def with_widths(spec: NetworkSpec, module: str, widths: Mapping[str, int]) -> NetworkSpec:
    """The network with some widths of a module (names of UNITS) or of "stem" (STEM_UNITS) changed.

    The input of whatever comes after follows. Raises KeyError for an unknown module or convolution.
    """
    allowed = STEM_UNITS if module == "stem" else UNITS
    if module != "stem":
        spec.block(module)
    unknown = [name for name in widths if name not in allowed]
    if unknown:
        raise KeyError(f"unknown convolution {unknown[0]!r}; allowed: {', '.join(allowed)}")
    stem_changes: dict[str, Any] = dict(widths) if module == "stem" else {}
    stem = replace(spec.stem, **stem_changes)
    changes: dict[str, Any] = {} if module == "stem" else {_FIELDS[name]: width for name, width in widths.items()}
    blocks: list[BlockSpec] = []
    channels = stem.conv2
    for block in spec.blocks:
        blocks.append(replace(block, in_channels=channels, **(changes if block.name == module else {})))
        channels = blocks[-1].out_channels
    return replace(spec, stem=stem, blocks=tuple(blocks))


def map_sides(spec: NetworkSpec, size: int) -> dict[str, int]:
    """Side of the output map in positions, of conv1, conv2 and every module, for a `size` x `size` image."""
    side = (size + sum(spec.stem.conv1_padding) - 7) // 2 + 1
    sides = {"conv1": side, "conv2": _pooled(side, PoolSpec())}
    side = _pooled(sides["conv2"], PoolSpec())
    for block in spec.blocks:
        sides[block.name] = side
        pool = spec.pool_after(block.name)
        side = side if pool is None else _pooled(side, pool)
    return sides


def _pooled(side: int, pool: PoolSpec) -> int:
    """Output side of a max pool with ceil_mode and no padding; a window must start inside of the map."""
    windows = -((pool.kernel - side) // pool.stride) + 1
    return windows - 1 if (windows - 1) * pool.stride >= side else windows


def aux_side(head: AuxSpec, side: int) -> int:
    """Side of an auxiliary head's map after its average pool, for a module output of `side`; its FC needs 4."""
    return 4 if head.pool == "adaptive4" else (side - 5) // 3 + 1


def stacked(spec: NetworkSpec) -> tuple[BlockSpec, ...]:
    """The modules with the inputs that they would have if the paper's Figure 2(a) were stacked."""
    blocks: list[BlockSpec] = []
    channels = spec.stem.conv2
    for block in spec.blocks:
        blocks.append(replace(block, in_channels=channels))
        channels += block.one + block.three + block.five
    return tuple(blocks)


def _block_layers(block: BlockSpec, side: int, naive: NaiveKind | None, normalised: bool) -> list[Layer]:
    def layer(name: str, cin: int, cout: int, kernel: int, branch: BranchKind) -> Layer:
        return Layer(block.name, name, cin, cout, kernel, side, branch, normalised)

    cin = block.in_channels
    layers = [layer("1x1", cin, block.one, 1, "1x1")]
    if naive is None:
        layers += [
            layer("3x3_reduce", cin, block.three_reduce, 1, "3x3"),
            layer("3x3", block.three_reduce, block.three, 3, "3x3"),
            layer("5x5_reduce", cin, block.five_reduce, 1, "5x5"),
            layer("5x5", block.five_reduce, block.five, block.five_kernel, "5x5"),
        ]
    else:
        layers += [layer("3x3", cin, block.three, 3, "3x3"), layer("5x5", cin, block.five, block.five_kernel, "5x5")]
    if naive in (None, "same-outputs"):
        layers.append(layer("pool_proj", cin, block.pool_proj, 1, "pool"))
    return layers


def trunk_layers(
    spec: NetworkSpec, blocks: tuple[BlockSpec, ...], sides: Mapping[str, int], naive: NaiveKind | None
) -> list[Layer]:
    """Stem, modules and main classifier; `naive` None is the network as it runs."""
    stem, bn = spec.stem, spec.batch_norm is not None
    layers = [
        Layer("conv1", "conv1", 3, stem.conv1, 7, sides["conv1"], normalised=bn),
        Layer("conv2", "conv2_reduce", stem.conv1, stem.conv2_reduce, 1, sides["conv2"], normalised=bn),
        Layer("conv2", "conv2", stem.conv2_reduce, stem.conv2, 3, sides["conv2"], normalised=bn),
    ]
    for block in blocks:
        layers += _block_layers(block, sides[block.name], naive, bn)
    last = blocks[-1]
    features = last.in_channels + last.one + last.three + last.five if naive == "figure-2a" else last.out_channels
    return [*layers, Layer("linear", "linear", features, spec.classes)]


def aux_layers(spec: NetworkSpec, head: AuxSpec) -> list[Layer]:
    """An auxiliary head's convolution (on a 4x4 map), FC and classifier."""
    channels = spec.block(head.after).out_channels
    return [
        Layer(head.name, "conv", channels, head.conv, 1, 4, normalised=spec.batch_norm is not None),
        Layer(head.name, "fc", head.conv * 16, head.fc),
        Layer(head.name, "classifier", head.fc, spec.classes),
    ]
