"""Network in Network, the ancestor from which the paper took its 1x1 convolutions and the average pool at its end.

Source: Lin, Chen and Yan, "Network In Network" (arXiv 1312.4400); the widths are those of the authors' released network
for CIFAR-10. It has no Inception modules, so it has a spec of its own and no place on the app's pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .network import ConvUnit, Heads
from .spec import DEFAULT_HEAD, HeadName

NIN = "nin"
"""What `train --spec` calls it."""
LARGEST_KERNEL = 15
"""Of a mlpconv layer, in pixels."""
Ending = Literal["average", "connected", "connected, dropout"]
"""What reads the last layer's maps: their averages are the logits (section 3.2), or a fully connected layer is on top,
without or with dropout before it (section 4.6)."""


@dataclass(frozen=True)
class MlpConv:
    """A convolution and, position by position, the layers of a small perceptron on top: `widths` are channels, the
    first of the convolution, the others of 1x1 convolutions, with a ReLU behind each (section 3.1)."""

    kernel: int
    widths: tuple[int, ...]
    stride: int = 1


@dataclass(frozen=True)
class NinSpec:
    """A whole network: mlpconv layers with a max pool 3/2 and dropout between them.

    The last layer has a channel per class. `size`: side of the square image in pixels, which a connected ending needs.
    """

    name: str
    classes: int
    layers: tuple[MlpConv, ...]
    size: int
    ending: Ending = "average"
    batch_norm: float | None = None
    dropout: float = 0.5

    @property
    def heads(self) -> tuple[HeadName, ...]:
        """Names of the classifiers: it has one."""
        return (DEFAULT_HEAD,)

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of each layer's maps in positions."""
        side, found = self.size, []
        for index, layer in enumerate(self.layers):
            side = -(-(side - 1) // 2) if index else side  # the pool 3/2 with ceil_mode before all but the first
            side = (side + 2 * (layer.kernel // 2) - layer.kernel) // layer.stride + 1
            found.append(side)
        return tuple(found)


def nin(classes: int, size: int) -> NinSpec:
    """The authors' network for CIFAR-10, whose first maps are 32 x 32. A larger image is taken in strides to about
    as many, with a kernel that reaches across the stride on both sides: every pixel is read, up to the last one."""
    stride = min(max(1, size // 32), (LARGEST_KERNEL + 1) // 2)
    return NinSpec(
        NIN,
        classes,
        (
            MlpConv(max(5, 2 * stride - 1), (192, 160, 96), stride),
            MlpConv(5, (192, 192, 192)),
            MlpConv(3, (192, 192, classes)),
        ),
        size,
    )


class NetworkInNetwork(nn.Module):
    """A network as its spec says: (N, 3, H, W) -> logits (N, K)."""

    def __init__(self, spec: NinSpec) -> None:
        super().__init__()
        self.spec = spec
        channels, steps = 3, list[nn.Module]()
        for index, layer in enumerate(spec.layers):
            if index:
                steps += [nn.MaxPool2d(3, 2, ceil_mode=True), nn.Dropout(spec.dropout)]
            for place, width in enumerate(layer.widths):
                kernel, stride = (1, 1) if place else (layer.kernel, layer.stride)
                steps.append(ConvUnit(channels, width, kernel, stride=stride, batch_norm=spec.batch_norm))
                channels = width
        self.layers = nn.Sequential(*steps)
        positions = spec.sides[-1] ** 2
        self.classifier = None if spec.ending == "average" else nn.Linear(channels * positions, spec.classes)
        self.dropout = nn.Dropout(spec.dropout if spec.ending == "connected, dropout" else 0.0)

    def conv_units(self) -> Iterator[tuple[str, ConvUnit]]:
        """Every convolution with its name, in the order of the image's way."""
        return ((name, module) for name, module in self.named_modules() if isinstance(module, ConvUnit))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.layers(x)
        if self.classifier is None:
            return maps.mean(dim=(2, 3))  # type: ignore[no-any-return]
        return self.classifier(self.dropout(torch.flatten(maps, 1)))  # type: ignore[no-any-return]

    def forward_heads(self, x: Tensor) -> Heads:
        """The logits as the main head's."""
        return Heads(None, None, self(x))
