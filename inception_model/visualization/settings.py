"""How a picture is made, as data, and what can be chosen."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 128
"""A quarter of lucid's 512, which nearly doubles the objective once more; 32 reach some 70% of what 128 do, 64 some
88%."""
DREAM_STEPS = 32
"""From a photo: 8 only touch it, 64 leave little of it."""
SIZE = 128
"""Side in pixels of a picture for a convolution; for a head and from a photo it is the network's own."""
SIZES = (32, 1024)
"""Smallest and largest side."""
RATE = 0.05
"""Adam's, lucid's."""
MACO_RATE = 0.3
"""NAdam's on phases. Xplique's 1.0 is for the mean over 32 views a step; with one view it reaches half as much."""
BATCH = 8
"""Pictures that are made together: more are hardly faster on a CPU."""
MOST_PICTURES = 16
DIVERSITY = 1.0
"""What it costs, in parts of the objective, if the pictures of one objective are all alike."""


@dataclass(frozen=True)
class Settings:
    """`pictures`: how many different ones of each objective; `size` None: as the objective has it; `maco`: phases
    alone. Picture k begins with the noise of seed + k."""

    steps: int = STEPS
    size: int | None = None
    seed: int = 0
    pictures: int = 1
    maco: bool = False
    views: bool = True
    batch: int = BATCH

    def __post_init__(self) -> None:
        """Raises ValueError that says what was found and what is allowed."""
        smallest, largest = SIZES
        if self.steps < 0:
            raise ValueError(f"a picture takes at least 0 steps; got {self.steps}")
        if self.size is not None and not smallest <= self.size <= largest:
            raise ValueError(f"a picture is {smallest} to {largest} pixels wide; got {self.size}")
        if not 1 <= self.pictures <= MOST_PICTURES:
            raise ValueError(f"1 to {MOST_PICTURES} different pictures can be made together; got {self.pictures}")
        if self.batch < 1:
            raise ValueError(f"a batch holds at least one picture; got {self.batch}")
        if self.seed < 0:
            raise ValueError(f"a seed is 0 or larger; got {self.seed}")
