"""LRP as a method of `explain`: which composite, and through which part of the network."""

from __future__ import annotations

import torch
from torch import Tensor

from ...images.preprocessing import Preprocessing
from ..options import PlaceOption
from ..task import Task
from .composites import COMPOSITES
from .tape import Tape

THROUGH = PlaceOption("through", "all", "only what passes this module, branch or channel is shown")


def pixel_box(preprocessing: Preprocessing, like: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and the highest value that a pixel can have in the network's input, each (1, 3, 1, 1)."""
    ends = torch.cat([preprocessing.normalise(like.new_full((1, 3, 1, 1), level)) for level in (0.0, 1.0)])
    return ends.amin(0, keepdim=True), ends.amax(0, keepdim=True)


def propagate(task: Task) -> Tensor:
    """Layer-wise relevance propagation: (N, 3, S, S), and the sums of each image's pass as `task.conservation`."""
    network = task.classifier.network
    part = THROUGH.part(task.options["through"], network.spec, task.head)
    task.clock.tick(len(task.x))
    tape = Tape(network, task.x, task.head, task.target, pixel_box(task.classifier.preprocessing, task.x))
    through = () if part is None else (part,)
    # The way back takes longest: it can be stopped at every layer.
    found = tape.relevance(COMPOSITES[task.options["composite"]], through, lambda: task.clock.tick(0))
    task.conservation.extend(found.conservation)
    return found.values
