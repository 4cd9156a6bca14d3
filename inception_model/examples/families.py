"""Families of channels that made-up pictures can't show, told by the images of an index that a channel answers most.

ImageNet orders its classes by WordNet id, animals first; so a checkpoint whose classes have such ids says which images
show animals. Whether a channel looks for eyes, fur or the meadow around them its crops must tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..architecture.labels import Label
from ..architecture.spec import BRANCH_UNIT, BRANCHES
from ..circuits.families import Families, Marked, hypergeometric_tail
from ..visualization.places import Place
from .index import Index
from .strongest import NOBODY

CHANCE = 0.01
"""A channel belongs to the family where so many animals among its strongest images would be rarer than this."""
ANIMALS = "animals"
EXAMPLE_FAMILIES = {
    ANIMALS: f"its strongest indexed images show animals more often than chance would have it (p below {CHANCE:g})"
}
"""Every family and what puts a channel into it."""

_WNID = re.compile(r"n\d{8}")
_FIRST_OTHER = "n02666196"
"""The abacus: the ids of ImageNet's 398 animals lie below it, those of all other classes do not."""


def animal_classes(labels: Sequence[Label]) -> Marked | None:
    """Which classes are animals (classes,); None where the classes have no WordNet ids."""
    if not all(_WNID.fullmatch(label.wnid) for label in labels):
        return None
    return np.asarray([label.wnid < _FIRST_OTHER for label in labels])


def with_examples(found: Families, index: Index, labels: Sequence[Label]) -> Families:
    """The families with those that the index tells; unchanged where it tells none."""
    animals = animal_classes(labels)
    if animals is None:
        return found
    members = _more_than_chance(index, found.module, tuple(animals.tolist()))
    return replace(found, members={**found.members, ANIMALS: members})


@lru_cache(maxsize=32)
def _more_than_chance(index: Index, module: str, which: tuple[bool, ...]) -> Marked:
    """Channels (C,) of a module's output whose strongest images are of these classes more often than chance has it."""
    classes = np.asarray(which)
    seen = index.sizes[:, 0] > 0
    whole, marked = int(seen.sum()), int((seen & classes[index.labels]).sum())
    lanes = index.channels.lanes
    images = index.strongest["activation"].images
    own = np.concatenate([images[:, lanes[Place(BRANCH_UNIT[kind], module)]] for kind in BRANCHES], axis=1)
    there = own != NOBODY
    held = (classes[index.labels[own]] & there).sum(axis=0)
    chances: dict[tuple[int, int], float] = {}

    def chance(found: int, drawn: int) -> float:
        key = found, drawn
        if key not in chances:
            chances[key] = hypergeometric_tail(found, marked, drawn, whole)
        return chances[key]

    counts: list[tuple[int, int]] = list(zip(held.tolist(), there.sum(axis=0).tolist(), strict=True))
    members: NDArray[np.bool_] = np.asarray([drawn > 0 and chance(one, drawn) < CHANCE for one, drawn in counts])
    return members
