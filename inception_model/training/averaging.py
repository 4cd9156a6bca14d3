"""The average of the weights over the steps, which is what is kept of a run (section 6: Polyak averaging)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from .recipe import TrainingConfig

Update = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]
"""What torch's AveragedModel calls: (averaged, current, how many were averaged)."""


def newest_weight(step: int, total: int, config: TrainingConfig, began: int = 0) -> float:
    """How much the weights after `step` of `total` steps count in the average with all before them, from `began` on.

    Exponential: the decay's complement; a young average forgets its random start faster. Polyak: one part in as many as
    there were since the share of the run or `began`, whichever came later, so that all of them count alike; before
    that, the average is the newest.
    """
    if config.polyak_from is None:
        age = step - began
        return 1 - min(config.ema_decay, (1 + age) / (10 + age))
    return 1 / max(1, step - max(began, int(config.polyak_from * total)))


def averaging(weight: Callable[[], float]) -> Update:
    """The update of an average; `weight` is asked at each step how much the newest counts."""

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], _: Tensor | int) -> None:
        newest = weight()
        for old, new in zip(averaged, current, strict=True):
            if old.is_floating_point():
                old.lerp_(new, newest)
            else:
                old.copy_(new)

    return update
