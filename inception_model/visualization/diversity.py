"""How alike pictures of one objective are to the network: by what occurs together in its maps."""

from __future__ import annotations

import torch
from torch import Tensor

from ..architecture.spec import NetworkSpec
from .objectives import Objective
from .places import Place


def diversity_place(objective: Objective, spec: NetworkSpec) -> Place:
    """Where pictures of the objective are compared: its own convolution; of a head, 3x3 of the module that it is on."""
    place = objective.terms[0].place
    return Place("3x3", place.last_module(spec)) if place.is_head else place


def likeness(values: Tensor) -> Tensor:
    """(N, C, H, W) before the ReLU -> (N,): the mean cosine of each picture's Gram matrix with the others'.

    Lucid's `diversity` (Olah et al. 2017), which adds them up. 0 for a single picture.
    """
    maps = torch.relu(values).flatten(2)
    grams = (maps @ maps.transpose(1, 2)).flatten(1)
    grams = torch.nn.functional.normalize(grams, dim=1)
    cosines = grams @ grams.T
    return (cosines.sum(1) - cosines.diagonal()) / max(1, len(values) - 1)
