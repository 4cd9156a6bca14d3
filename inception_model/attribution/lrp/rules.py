"""The rules of layer-wise relevance propagation, each as data that can be applied to any linear layer.

A rule shares the relevance R_j of every output among the layer's inputs in proportion to what they add to it. What the
bias adds, and what stabilises a division, has no input to go to: it is absorbed, and every rule says how much, by
formulas of its own rather than by looking at what is missing. Sums over a layer's inputs, bias and stabiliser
therefore close up to rounding, and that they do is a test of the whole pass.

Bach et al. 2015 (LRP-0, epsilon, alpha-beta), Montavon et al. 2017 (z-box), Lapuschkin et al. 2019 (flat), Montavon
et al. 2019 (gamma), Andeol et al. 2021 (gamma for inputs of either sign).
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .layers import LinearLayer, totals

STABILISER = 1e-6
"""Added to the denominators of all rules but epsilon's own, with their sign; logits."""


class Shared(NamedTuple):
    """What becomes of a layer's relevance: `inputs` in the shape of its input, and per image (N,) in float64 what its
    bias and what the stabilisers absorbed."""

    inputs: Tensor
    bias: Tensor
    stabiliser: Tensor


class Rule(abc.ABC):
    """How relevance passes through a linear layer."""

    @property
    @abc.abstractmethod
    def words(self) -> str:
        """Name and parameter, for tables."""

    @abc.abstractmethod
    def share(self, layer: LinearLayer, x: Tensor, z: Tensor, r: Tensor) -> Shared:
        """Shares relevance `r` of the outputs `z` = W x + b among the inputs `x`."""


@dataclass(frozen=True)
class Epsilon(Rule):
    """R_j in proportion to w_ij x_i, damped where the output is small. `epsilon` is absolute, or with `relative` a
    share of the root mean square of the layer's outputs; 0 is LRP-0."""

    epsilon: float = STABILISER
    relative: bool = False

    @property
    def words(self) -> str:
        return f"epsilon {self.epsilon:g}{' of the rms' if self.relative else ''}"

    def share(self, layer: LinearLayer, x: Tensor, z: Tensor, r: Tensor) -> Shared:
        added = _signs(z) * self._size(z)
        shares = _quotient(r, z + added)
        return Shared(
            x * layer.transpose(shares, layer.weight, x), _absorbed(shares, layer.bias), totals(shares * added)
        )

    def _size(self, z: Tensor) -> Tensor | float:
        if not self.relative:
            return self.epsilon
        rms = z.square().mean(dim=tuple(range(1, z.ndim)), keepdim=True).sqrt()
        return self.epsilon * rms


@dataclass(frozen=True)
class Gamma(Rule):
    """As LRP-0, with what speaks for the output's sign counted 1 + gamma times."""

    gamma: float = 0.25

    @property
    def words(self) -> str:
        return f"gamma {self.gamma:g}"

    def share(self, layer: LinearLayer, x: Tensor, z: Tensor, r: Tensor) -> Shared:
        found = self._side(layer, x, z, torch.where(z > 0, r, 0), 1)
        below = torch.where(z < 0, r, 0)
        if bool(below.any()):  # behind a ReLU there is no relevance below zero, only at a head's own score
            other = self._side(layer, x, z, below, -1)
            found = Shared(*(one + two for one, two in zip(found, other, strict=True)))
        return found._replace(stabiliser=found.stabiliser + totals(torch.where(z == 0, r, 0)))

    def _side(self, layer: LinearLayer, x: Tensor, z: Tensor, r: Tensor, sign: int) -> Shared:
        more = _one_sided(layer, x, sign)
        bias = _clamped(layer.bias, sign)
        denominator = z + self.gamma * (more if bias is None else more + bias)
        added = _signs(denominator) * STABILISER
        shares = r / (denominator + added)
        plain = x * layer.transpose(shares, layer.weight, x)
        inputs = plain + self.gamma * _one_sided_shares(layer, x, shares, sign)
        absorbed = _absorbed(shares, layer.bias) + self.gamma * _absorbed(shares, bias)
        return Shared(inputs, absorbed, totals(shares * added))


@dataclass(frozen=True)
class AlphaBeta(Rule):
    """What speaks for an output gets alpha times its relevance, what speaks against it minus beta times; alpha - beta
    is 1. An output that has nothing on one side leaves that side's part to the stabiliser. (1, 0) is also called z+."""

    alpha: float = 2.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.beta < 0 or self.alpha - self.beta != 1:
            raise ValueError(f"alpha - beta must be 1 and beta at least 0; got {self.alpha:g} and {self.beta:g}")

    @property
    def words(self) -> str:
        return f"alpha {self.alpha:g}, beta {self.beta:g}"

    def share(self, layer: LinearLayer, x: Tensor, z: Tensor, r: Tensor) -> Shared:
        found = self._side(layer, x, r * self.alpha, 1)
        if self.beta == 0:
            return found
        other = self._side(layer, x, r * -self.beta, -1)
        return Shared(*(one + two for one, two in zip(found, other, strict=True)))

    @staticmethod
    def _side(layer: LinearLayer, x: Tensor, r: Tensor, sign: int) -> Shared:
        bias = _clamped(layer.bias, sign)
        side = _one_sided(layer, x, sign)
        denominator = side if bias is None else side + bias
        added = _signs(denominator) * STABILISER
        shares = r / (denominator + added)
        inputs = _one_sided_shares(layer, x, shares, sign)
        return Shared(inputs, _absorbed(shares, bias), totals(shares * added))


@dataclass(frozen=True)
class ZBox(Rule):
    """For pixels: in proportion to what each adds compared with the worst value that it could have, the layer's `box`;
    biases cancel and absorb nothing."""

    @property
    def words(self) -> str:
        return "z-box"

    def share(self, layer: LinearLayer, x: Tensor, z: Tensor, r: Tensor) -> Shared:
        assert layer.weight is not None
        if layer.box is None:
            raise ValueError(f"z-box needs the lowest and highest inputs, which nobody knows of {layer.name}")
        low, high = (edge.to(x).expand_as(x) for edge in layer.box)
        above, below = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
        own = z if layer.bias is None else z - layer.bias
        denominator = own - layer.apply(low, above) - layer.apply(high, below)
        added = _signs(denominator) * STABILISER
        shares = r / (denominator + added)
        inputs = x * layer.transpose(shares, layer.weight, x)
        inputs = inputs - low * layer.transpose(shares, above, x) - high * layer.transpose(shares, below, x)
        return Shared(inputs, _absorbed(shares, None), totals(shares * added))


@dataclass(frozen=True)
class Flat(Rule):
    """Every input that an output sees gets the same share, whatever its value; biases absorb nothing."""

    @property
    def words(self) -> str:
        return "flat"

    def share(self, layer: LinearLayer, x: Tensor, z: Tensor, r: Tensor) -> Shared:
        assert layer.weight is not None
        ones = torch.ones_like(layer.weight[:1])
        # All outputs at a position see the same inputs, so they are shared in one step.
        shares = r.sum(1, keepdim=True) / layer.apply(torch.ones_like(x), ones)
        return Shared(layer.transpose(shares, ones, x), _absorbed(shares, None), torch.zeros_like(totals(shares)))


def _signs(z: Tensor) -> Tensor:
    """1 or -1; 1 for 0."""
    return torch.where(z < 0, -1.0, 1.0).to(z.dtype)


def _quotient(r: Tensor, z: Tensor) -> Tensor:
    """r / z, and 0 where z is 0: only LRP-0 meets that."""
    return torch.where(z == 0, 0, r / z)


def _absorbed(shares: Tensor, bias: Tensor | None) -> Tensor:
    return totals(torch.zeros_like(shares) if bias is None else shares * bias)


def _clamped(values: Tensor | None, sign: int) -> Tensor | None:
    if values is None:
        return None
    return values.clamp(min=0) if sign > 0 else values.clamp(max=0)


def _weights(layer: LinearLayer, sign: int) -> Tensor | None:
    return _clamped(layer.weight, sign)


def _one_sided(layer: LinearLayer, x: Tensor, sign: int) -> Tensor:
    """The sum of all products w_ij x_i of that sign."""
    found = layer.apply(x.clamp(min=0), _weights(layer, sign))
    below = x.clamp(max=0)
    return found + layer.apply(below, _weights(layer, -sign)) if bool(below.any()) else found


def _one_sided_shares(layer: LinearLayer, x: Tensor, shares: Tensor, sign: int) -> Tensor:
    """What each input adds to the sums of `_one_sided`, weighted by the shares."""
    found = x.clamp(min=0) * layer.transpose(shares, _weights(layer, sign), x)
    below = x.clamp(max=0)
    return found + below * layer.transpose(shares, _weights(layer, -sign), x) if bool(below.any()) else found
