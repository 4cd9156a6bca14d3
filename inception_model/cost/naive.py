"""The paper's Figure 2(a) as layers that run: one naive module, and a network of them stacked."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..architecture.network import ConvUnit, GoogLeNet, Heads
from ..architecture.spec import BlockSpec, NetworkSpec
from .layers import DEFAULT_NAIVE, NaiveKind, stacked


class NaiveBlock(nn.Module):
    """A module without 1x1 reductions: (N, Cin, H, W) -> (N, Cout, H, W).

    With "same-outputs" the pool projection stays and Cout is the real module's; otherwise it is Figure 2(a): the pool
    branch passes its input on and Cout is larger by Cin minus the projection's width.
    """

    def __init__(self, spec: BlockSpec, kind: NaiveKind = DEFAULT_NAIVE, batch_norm: float | None = None) -> None:
        super().__init__()
        cin = spec.in_channels
        self.branches = nn.ModuleList(
            [
                ConvUnit(cin, spec.one, 1, batch_norm=batch_norm),
                ConvUnit(cin, spec.three, 3, batch_norm=batch_norm),
                ConvUnit(cin, spec.five, spec.five_kernel, batch_norm=batch_norm),
                nn.Sequential(
                    nn.MaxPool2d(3, 1, padding=1),
                    ConvUnit(cin, spec.pool_proj, 1, batch_norm=batch_norm)
                    if kind == "same-outputs"
                    else nn.Identity(),
                ),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class NaiveNetwork(nn.Module):
    """A network whose modules are all Figure 2(a): stem, pools and main classifier are the spec's, its auxiliary heads
    are left out. (N, 3, H, W) -> logits (N, K)."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        plain = GoogLeNet(spec)
        self.stem = nn.Sequential(
            plain.get_submodule("conv1"), plain.pool1, plain.lrn1, plain.get_submodule("conv2_reduce"),
            plain.get_submodule("conv2"), plain.lrn2, plain.pool2,
        )  # fmt: skip
        modules = list[nn.Module]()
        for block in stacked(spec):
            modules.append(NaiveBlock(block, "figure-2a", spec.batch_norm))
            if spec.pool_after(block.name) is not None:
                modules.append(plain.get_submodule(f"pool_{block.name}"))
        self.modules_in_a_row = nn.Sequential(*modules)
        self.avgpool, self.dropout = plain.avgpool, plain.dropout
        self.classifier = nn.Linear(block.in_channels + block.one + block.three + block.five, spec.classes)

    def conv_units(self) -> Iterator[tuple[str, ConvUnit]]:
        """Every convolution with its name, in the order of the image's way."""
        return ((name, module) for name, module in self.named_modules() if isinstance(module, ConvUnit))

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.avgpool(self.modules_in_a_row(self.stem(x)))
        return self.classifier(self.dropout(torch.flatten(pooled, 1)))  # type: ignore[no-any-return]

    def forward_heads(self, x: Tensor) -> Heads:
        """The logits as the main head's."""
        return Heads(None, None, self(x))
