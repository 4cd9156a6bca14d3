"""The one place that turns a head's logits into the probabilities that are shown as its answer.

A trained network is usually surer than it is right. One number per head, its temperature T, is fitted on images that
the network never saw; softmax(logits / T) then means what it says, and no class changes its place. (Guo et al. 2017,
section 4.2.) Scores that explain an answer, and the measures of maps, stay functions of the logits themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

Temperatures = Mapping[str, float]
"""Head -> temperature; a head that isn't there has 1, which is the plain softmax."""

RAW: Temperatures = MappingProxyType({})
"""No temperatures: every head's plain softmax."""

LOWEST, HIGHEST = 0.05, 20.0
"""A temperature beyond these has been fitted to too few images, or is no temperature."""


def probabilities(logits: Tensor, head: str | None, temperatures: Temperatures) -> Tensor:
    """(..., K) -> (..., K): softmax of the head's logits at its temperature; `head` None: of what is no head (a probe).

    At temperature 1 these are the bits of `logits.softmax(-1)`.
    """
    temperature = 1.0 if head is None else temperatures.get(head, 1.0)
    return (logits if temperature == 1 else logits / temperature).softmax(dim=-1)
