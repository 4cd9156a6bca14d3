"""What training needs to know of a network: its heads' logits, their losses and what they get right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..architecture.network import GoogLeNet, Heads
from ..architecture.nin import NetworkInNetwork
from ..cost.naive import NaiveNetwork

Trainable = GoogLeNet | NetworkInNetwork | NaiveNetwork
"""The networks that can be trained: they have a spec that names their heads, `forward_heads` and `conv_units`."""


class AllHeads(nn.Module):
    """A network whose forward pass gives all heads, for wrappers that call a module."""

    def __init__(self, network: Trainable) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Heads:
        return self.network.forward_heads(x)


def losses(heads: Heads, labels: Tensor, smoothing: float, aux_weight: float) -> Tensor:
    """main + aux_weight * (aux1 + aux2) (section 5)."""
    total = F.cross_entropy(heads.main.float(), labels, label_smoothing=smoothing)
    for logits in (heads.aux1, heads.aux2):
        if logits is not None:
            total = total + aux_weight * F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
    return total


def accuracies(heads: Heads, labels: Tensor) -> list[Tensor]:
    """Share of the batch that each head gets right."""
    return [(logits.detach().argmax(1) == labels).float().mean() for logits in heads if logits is not None]


def gradient_norm(module: nn.Module) -> float:
    """The Euclidean norm of the loss's gradient with respect to all of a module's weights."""
    return float(torch.nn.utils.get_total_norm([p.grad for p in module.parameters() if p.grad is not None]))
