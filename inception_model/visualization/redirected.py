"""A ReLU that lets a gradient through where an image would get none: how a dead unit gets started."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _RedirectedReLU(torch.autograd.Function):
    """relu(x); backwards its gradient, but for images of which nothing would come through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        true = gradient * (x > 0)
        came = true.flatten(1).any(1).view(-1, *[1] * (x.dim() - 1))
        # A step goes against the gradient: a positive one would push what is below zero further down.
        return torch.where(came, true, gradient * ~((x <= 0) & (gradient > 0)))


def redirected_relu(x: Tensor) -> Tensor:
    """relu(x) for descent, batch first. Where no gradient of an image would pass, those pass that raise its values
    (lucid, `redirected_relu_grad.py`)."""
    return _RedirectedReLU.apply(x)  # type: ignore[no-any-return]
