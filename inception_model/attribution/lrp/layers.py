"""The linear layers that relevance passes through: each as a map that any rule can run with weights of its own.

A rule needs three things of a layer: its output for other weights or another input, the transpose of that map, and the
bias. Batch norm is merged into its convolution here, in copies; the network itself is never touched.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...architecture.network import ConvUnit

Role = Literal["convolution", "linear", "average"]


def float64(values: Tensor) -> Tensor:
    """In float64, on the CPU where the device has no such type."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def totals(values: Tensor) -> Tensor:
    """(N, ...) -> (N,) sums in float64, on the CPU."""
    return float64(values).flatten(1).sum(1).cpu()


class LinearLayer(abc.ABC):
    """z = W x + b. `name`: its address, such as `4d.3x3_reduce`; `role`: what a composite may call it by;
    `weight`: W as stored, None for an average; `bias`: b in a shape that broadcasts over z, or None; `box`: the lowest
    and highest values that the input can have (1, C, 1, 1), where they are known."""

    role: ClassVar[Role]
    box: tuple[Tensor, Tensor] | None = None

    def __init__(self, name: str, weight: Tensor | None, bias: Tensor | None) -> None:
        self.name, self.weight, self.bias = name, weight, bias

    @abc.abstractmethod
    def apply(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """W x for these weights, without bias."""

    @abc.abstractmethod
    def transpose(self, z: Tensor, weight: Tensor | None, x: Tensor) -> Tensor:
        """W' z for these weights, in the shape of the input `x`."""

    def __call__(self, x: Tensor) -> Tensor:
        """The layer's own output, with its bias."""
        z = self.apply(x, self.weight)
        return z if self.bias is None else z + self.bias


class Convolution(LinearLayer):
    """A ConvUnit up to its ReLU: padding, convolution, and batch norm merged into both weights and bias."""

    role = "convolution"

    def __init__(self, name: str, unit: ConvUnit, dtype: torch.dtype) -> None:
        conv, bn = unit.conv, unit.bn
        weight, bias = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
        if bn is not None:
            assert bn.running_mean is not None
            assert bn.running_var is not None
            scale, shift = float64(bn.weight.detach()), float64(bn.bias.detach())
            mean, var = float64(bn.running_mean), float64(bn.running_var)
            slope = scale / (var + bn.eps).sqrt()
            shift = shift + ((0 if bias is None else float64(bias)) - mean) * slope
            merged = float64(weight) * slope.view(-1, 1, 1, 1)
            weight, bias = merged.to(weight.device, dtype), shift.to(weight.device, dtype)
        super().__init__(name, weight.to(dtype), None if bias is None else bias.to(dtype).view(1, -1, 1, 1))
        self._pad = unit.pad
        self._stride, self._padding = conv.stride, tuple(int(edge) for edge in conv.padding)

    def apply(self, x: Tensor, weight: Tensor | None) -> Tensor:
        assert weight is not None
        return F.conv2d(x if self._pad is None else self._pad(x), weight, None, self._stride, self._padding)

    def transpose(self, z: Tensor, weight: Tensor | None, x: Tensor) -> Tensor:
        assert weight is not None
        left, right, top, bottom = (0, 0, 0, 0) if self._pad is None else self._pad.padding
        high, wide = x.shape[2], x.shape[3]
        size = (*x.shape[:2], high + top + bottom, wide + left + right)
        found: Tensor = torch.nn.grad.conv2d_input(size, weight, z, self._stride, self._padding)  # type: ignore[attr-defined]
        return found if self._pad is None else found[:, :, top : top + high, left : left + wide]


class FullyConnected(LinearLayer):
    """A linear layer on vectors: (N, C) -> (N, K)."""

    role = "linear"

    def __init__(self, name: str, linear: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__(name, linear.weight.detach().to(dtype), linear.bias.detach().to(dtype))

    def apply(self, x: Tensor, weight: Tensor | None) -> Tensor:
        assert weight is not None
        return x @ weight.T

    def transpose(self, z: Tensor, weight: Tensor | None, x: Tensor) -> Tensor:
        assert weight is not None
        return z @ weight


class ScoreLayer(LinearLayer):
    """A head's classifier followed by the target's score: (N, C) -> (N, 1), one row of weights per image.

    A score is linear in the logits, so the weights of a contrast are the difference of two classes' weights.
    """

    role = "linear"

    def __init__(
        self, name: str, linear: nn.Linear, score: Callable[[Tensor], Tensor], images: int, dtype: torch.dtype
    ) -> None:
        weight, bias = linear.weight.detach().to(dtype), linear.bias.detach().to(dtype)
        with torch.enable_grad():
            logits = weight.new_zeros(images, len(weight)).requires_grad_()
            counts = torch.autograd.grad(score(logits).sum(), logits)[0]  # (N, K): how often the score has each logit
        super().__init__(name, counts @ weight, (counts @ bias).unsqueeze(1))

    def apply(self, x: Tensor, weight: Tensor | None) -> Tensor:
        assert weight is not None
        return (x * weight).sum(1, keepdim=True)

    def transpose(self, z: Tensor, weight: Tensor | None, x: Tensor) -> Tensor:
        assert weight is not None
        return z * weight


class Average(LinearLayer):
    """An average pool, adaptive or not: linear, with fixed weights and no bias."""

    role = "average"

    def __init__(self, name: str, pool: nn.Module) -> None:
        super().__init__(name, None, None)
        self._pool = pool

    def apply(self, x: Tensor, weight: Tensor | None) -> Tensor:
        return self._pool(x)  # type: ignore[no-any-return]

    def transpose(self, z: Tensor, weight: Tensor | None, x: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = torch.zeros_like(x).requires_grad_()
            return torch.autograd.grad(self._pool(leaf), leaf, z)[0]
