"""Max pools written as maxima of two values, for DeepLift.

Captum's rule for max pools moves credit back with `max_unpool2d`, which keeps one of several windows that share a
maximum. GoogLeNet's windows overlap everywhere, so credit is lost and the sums do not close (on channels-last memory
next to nothing is left). max(a, b) = a + relu(b - a) has the same values, and on its ReLU the rescale rule of the
paper (Shrikumar et al. 2017, section 3.5.1) is exact, so that no credit is lost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..architecture.network import GoogLeNet


class PairwiseMaxPool(nn.Module):
    """`nn.MaxPool2d` along rows, then columns; every maximum has a ReLU of its own, as DeepLift's hooks need."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = int(pool.kernel_size), int(pool.stride), int(pool.padding)  # type: ignore[arg-type]
        self.ceil_mode = pool.ceil_mode
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(2 * (self.kernel - 1)))

    def forward(self, x: Tensor) -> Tensor:
        relus = list(self.relus)
        return self._along(self._along(x, 2, relus[: self.kernel - 1]), 3, relus[self.kernel - 1 :])

    def _along(self, x: Tensor, dim: int, relus: list[nn.Module]) -> Tensor:
        size = x.shape[dim]
        free = size + 2 * self.padding - self.kernel
        windows = (-(-free // self.stride) if self.ceil_mode else free // self.stride) + 1
        if (windows - 1) * self.stride >= size + self.padding:  # a window must start inside of the map
            windows -= 1
        start = torch.arange(windows, device=x.device) * self.stride - self.padding
        first, last = start.clamp(min=0), (start + self.kernel - 1).clamp(max=size - 1)
        # A window that sticks out of the map repeats a value that it holds anyway.
        steps = [x.index_select(dim, (start + k).clamp(first, last)) for k in range(self.kernel)]
        best = steps[0]
        for other, relu in zip(steps[1:], relus, strict=True):
            best = best + relu(other - best)
        return best


def with_pairwise_pools(network: GoogLeNet) -> GoogLeNet:
    """The network, which must be a twin, with all its max pools replaced in place."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                parent.add_module(name, PairwiseMaxPool(child))
    return network
