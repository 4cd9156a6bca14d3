"""Which input pixels a unit can see (theory) and which ones it listens to on an image (the gradient's support).

Pixels are 0-based; a centre is a pixel's index, so the box of pixel p reaches from p to p + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..architecture.network import GoogLeNet
from ..architecture.spec import BRANCH_UNIT, BRANCHES, UNITS, NetworkSpec
from ..images.geometry import Box
from ..inference.classifier import Classifier
from ..inference.trace import forward_hooks


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of every unit of a layer.

    `size`: side in input pixels, padding included; `jump`: pixels between neighbouring units; `start`: centre of the
    unit in row 0, column 0.
    """

    size: int = 1
    jump: int = 1
    start: float = 0.0

    def through(self, kernel: int, stride: int = 1, before: int = 0) -> ReceptiveField:
        """After a window of `kernel` positions with that stride and left/top padding: r + (k - 1) j, j s."""
        return ReceptiveField(
            self.size + (kernel - 1) * self.jump,
            self.jump * stride,
            self.start + ((kernel - 1) / 2 - before) * self.jump,
        )

    def centre(self, index: int) -> float:
        """Centre of the unit in that row or column, in pixels."""
        return self.start + index * self.jump

    def box(self, row: int, column: int, image_size: int | None = None) -> Box:
        """What the unit can see, in pixels of the network's square; clipped to it if its side is given."""
        half = self.size / 2
        x, y = self.centre(column) + 0.5, self.centre(row) + 0.5
        box = Box(x - half, y - half, x + half, y + half)
        return box if image_size is None else box.clipped((image_size, image_size))


def receptive_fields(spec: NetworkSpec) -> dict[str, ReceptiveField]:
    """Every stage, module and branch by name, in the order of the image's way.

    Names: conv1, pool1, conv2_reduce, conv2, pool2; 3a/input, 3a/1x1, 3a/3x3_reduce, ..., 3a/pool_proj, 3a/output and
    so on (those of capture and files); pool_3b, pool_4e. A module's output sees what its widest branch sees.
    """
    fields: dict[str, ReceptiveField] = {}
    fields["conv1"] = ReceptiveField().through(7, 2, spec.stem.conv1_padding[0])
    fields["pool1"] = fields["conv2_reduce"] = fields["conv1"].through(3, 2)
    fields["conv2"] = fields["pool1"].through(3, 1, 1)
    field = fields["pool2"] = fields["conv2"].through(3, 2)
    for block in spec.blocks:
        kernels = {"3x3": 3, "5x5": block.five_kernel, "pool_proj": 3}
        fields[f"{block.name}/input"] = field
        for unit in UNITS:
            kernel = kernels.get(unit, 1)
            fields[f"{block.name}/{unit}"] = field.through(kernel, 1, kernel // 2)
        field = max((fields[f"{block.name}/{unit}"] for unit in UNITS), key=lambda f: f.size)
        fields[f"{block.name}/output"] = field
        pool = spec.pool_after(block.name)
        if pool is not None:
            field = fields[f"pool_{block.name}"] = field.through(pool.kernel, pool.stride)
    return fields


def receptive_field(spec: NetworkSpec, module: str, node: str = "output") -> ReceptiveField:
    """Of one branch (1x1, 3x3, 5x5, pool), convolution or of input or output; raises KeyError that lists the names."""
    spec.block(module)
    return receptive_fields(spec)[f"{module}/{_node(node)}"]


def gradient_support(
    classifier: Classifier, x: Tensor, module: str, node: str, channel: int, row: int, column: int
) -> Tensor:
    """How strongly one unit's value on an image depends on each input pixel: (S, S) float32 on the CPU.

    The absolute gradient of the unit before its ReLU with respect to `x` (1, 3, S, S), summed over colours; before,
    because a unit at rest would have no gradient at all. `node` is a branch or a convolution of the module.
    Nothing behind the module is computed. Raises KeyError or IndexError on names and positions that aren't there.
    The network is hooked while this runs: give it a classifier of its own (`Classifier.twin`).
    """
    network = classifier.network
    unit = network.block(module).unit(_convolution(node))
    found: list[Tensor] = []
    with torch.enable_grad():
        pixels = classifier.to_input(x).detach().clone().requires_grad_(True)
        with forward_hooks({node: unit.bn or unit.conv}, lambda name, _, output: found.append(output)):
            _run_to(network, pixels, module)
        _, channels, rows, columns = found[0].shape
        if not (0 <= channel < channels and 0 <= row < rows and 0 <= column < columns):
            raise IndexError(
                f"{module} {node} has {channels} channels of {rows} x {columns} positions; there is no channel "
                f"{channel} at row {row}, column {column} (all count from 0)"
            )
        (gradient,) = torch.autograd.grad(found[0][0, channel, row, column], pixels)
    return gradient[0].detach().float().abs().sum(dim=0).cpu()


def support_box(values: Tensor, share: float = 1.0) -> Box | None:
    """The rectangle that holds `share` of a support map (S, S), cut evenly from its sides; None if all is zero."""
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {share}")
    if not bool(values.any()):
        return None
    (left, right), (top, bottom) = (_span(values.double().sum(dim=dim), share) for dim in (0, 1))
    return Box(left, top, right, bottom)


def _span(profile: Tensor, share: float) -> tuple[float, float]:
    """First and one past the last position between the outer (1 - share) / 2 of a profile's sum."""
    outer = (1 - share) / 2 * float(profile.sum())
    from_left = (profile.cumsum(0) > outer).nonzero()[0].item()
    from_right = (profile.flip(0).cumsum(0) > outer).nonzero()[0].item()
    return float(from_left), float(len(profile) - from_right)


def _run_to(network: GoogLeNet, x: Tensor, module: str) -> None:
    for name, _ in network.trunk(x):
        if name == module:
            return


def _convolution(node: str) -> str:
    name = BRANCH_UNIT[node] if node in BRANCHES else node
    if name not in UNITS:
        raise KeyError(f"unknown branch or convolution {node!r}; allowed: {', '.join(dict.fromkeys(BRANCHES + UNITS))}")
    return name


def _node(name: str) -> str:
    return name if name in ("input", "output") else _convolution(name)
