"""The smallest change of a photo's pixels that turns an answer, as far as projected gradient descent finds one.

The bound is doubled until the attack succeeds and then bisected; every further attack begins where the last success
lies, pulled inside the smaller bound. A smaller change that this search does not find may exist.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..images.disturbances import LEVELS
from ..progress import Progress, report
from .pgd import DEFAULT_NORM, STEPS, Goal, Logits, Norm, attack, size_of

PRECISION = 0.05
"""The bisection ends when its two bounds are so near to each other, as a share of the larger one."""
FIRST: dict[Norm, float] = {"linf": 1.0, "l2": 64.0}
"""The bound tried first, in 8-bit levels."""
LARGEST: dict[Norm, float] = {"linf": 32.0, "l2": 4096.0}
"""The largest bound tried, in 8-bit levels: what needs more is no small change any more."""
BOUNDS: dict[Norm, tuple[int, ...]] = {"linf": (1, 2, 4, 8), "l2": (64, 256, 1024)}
"""Bounds worth looking at, in 8-bit levels: the first is not seen, the last is, in calm places of a photo."""
WHOLE = 4
"""Whole bounds that are tried for a picture of 8 bits."""


@dataclass(frozen=True)
class Attempt:
    """One bound in 8-bit levels, the margin that was reached inside it, and whether that was enough."""

    bound: float
    margin: float
    reached: bool


@dataclass(frozen=True, eq=False)
class Adversarial:
    """What was found: `clean` and `changed` pixels (1, 3, S, S) from 0 to 1, float64. Bounds are in 8-bit levels.

    `asked`: the bound that was given; None where the smallest was looked for. `reached`: whether the goal is; if not,
    `changed` is the nearest miss. `below`: the largest bound in which nothing was found. `stored`: the picture of 8
    bits (levels, whole numbers) that reaches the goal too, and `whole`, within how many whole levels; None where none
    was found, and for l2, where a change is spread too thin to be stored.
    """

    norm: Norm
    goal: Goal
    steps: int
    clean: Tensor
    changed: Tensor
    asked: float | None
    reached: bool
    below: float
    attempts: tuple[Attempt, ...]
    whole: int | None = None
    stored: Tensor | None = None

    @property
    def change(self) -> Tensor:
        """(1, 3, S, S): changed minus clean, in 8-bit levels."""
        return (self.changed - self.clean) * LEVELS

    @property
    def size(self) -> float:
        """Of the change by its norm, in 8-bit levels: never above the bound."""
        return size_of(self.changed - self.clean, self.norm) * LEVELS

    @property
    def mean(self) -> float:
        """Root mean square of the change of a value, in 8-bit levels."""
        return float(self.change.square().mean().sqrt())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without the pixels."""
        return {
            "norm": self.norm,
            "source": self.goal.source,
            "target": self.goal.target,
            "steps": self.steps,
            "asked": self.asked,
            "reached": self.reached,
            "size": self.size,
            "largest_value": size_of(self.change, "linf"),
            "root_mean_square": self.mean,
            "below": self.below,
            "whole": self.whole,
            "attempts": [asdict(attempt) for attempt in self.attempts],
        }


@dataclass
class _Search:
    """The attempts so far, and the clock. `expected`: passes in all, about: half of a bisection's attempts succeed,
    which takes few steps."""

    logits: Logits
    clean: Tensor
    goal: Goal
    norm: Norm
    steps: int
    tell: Callable[[int, int], None]
    attempts: list[Attempt] = field(default_factory=list)
    passes: int = 0
    expected: int = 0

    def __post_init__(self) -> None:
        self.expected = (self.steps + 1) * (math.ceil(math.log2(1 / PRECISION)) + 3)

    def attack(self, level: float, start: Tensor | None, stop: bool = True) -> tuple[Tensor, float]:
        """An attack inside a bound in 8-bit levels: pixels and margin. It counts as an attempt if it may stop early."""

        def tell() -> None:
            self.tell(min(self.passes, self.expected), self.expected)
            self.passes += 1

        pixels, margin = attack(
            self.logits, self.clean, self.goal, self.norm, level / LEVELS, self.steps, start=start, stop=stop, tell=tell
        )  # fmt: skip
        if stop:
            self.attempts.append(Attempt(level, margin, margin < 0))
        return pixels, margin

    def finish(self) -> None:
        """All is done; the estimate may have been too high."""
        self.tell(self.expected, self.expected)

    def level(self, pixels: Tensor) -> float:
        """The size of a change in 8-bit levels."""
        return size_of(pixels - self.clean, self.norm) * LEVELS

    def rounded(self, pixels: Tensor, whole: int) -> tuple[int | None, Tensor | None]:
        """The pixels in 8 bits, if they still reach the goal."""
        levels = (pixels * LEVELS).round()
        with torch.no_grad():
            reached = self.goal.reached(self.logits(levels / LEVELS))
        return (whole, levels) if reached else (None, None)

    def stored(self, pixels: Tensor, first: int, tries: int) -> tuple[int | None, Tensor | None]:
        """The picture of 8 bits for the first whole number of levels with which it reaches the goal."""
        for whole in range(first, first + tries):
            pixels, _ = self.attack(whole, pixels, stop=False)
            found = self.rounded(pixels, whole)
            if found[0] is not None:
                return found
        return None, None

    def result(
        self,
        pixels: Tensor,
        asked: float | None,
        reached: bool,
        below: float,
        whole: int | None = None,
        stored: Tensor | None = None,
    ) -> Adversarial:
        """What is handed back."""
        return Adversarial(
            self.norm, self.goal, self.steps, self.clean, pixels, asked, reached, below, tuple(self.attempts),
            whole, stored,
        )  # fmt: skip


def smallest_change(
    logits: Logits,
    clean: Tensor,
    goal: Goal,
    norm: Norm = DEFAULT_NORM,
    steps: int = STEPS,
    *,
    precision: float = PRECISION,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Adversarial:
    """Of one image's pixels (1, 3, S, S) from 0 to 1, for a goal that it does not reach by itself (else ValueError)."""
    search = _begun(logits, clean, goal, norm, steps, progress, cancel)
    level, below = FIRST[norm], 0.0
    pixels, margin = search.attack(level, None)
    while margin >= 0 and level < LARGEST[norm]:
        below, level = level, 2 * level
        pixels, margin = search.attack(level, pixels)
    if margin >= 0:
        return search.result(pixels, None, False, level)
    bound = search.level(pixels)
    while bound - below > precision * bound:
        middle = (below + bound) / 2
        tried, margin = search.attack(middle, pixels)
        if margin < 0:
            pixels, bound = tried, search.level(tried)
        else:
            below = middle
    whole, stored = search.stored(pixels, math.ceil(bound), WHOLE) if norm == "linf" else (None, None)
    search.finish()
    return search.result(pixels, None, True, below, whole, stored)


def check_bound(norm: Norm, bound: float) -> None:
    """Raises ValueError for a bound (in 8-bit levels) that is none, or allows more than a small change."""
    if not 0 < bound <= LARGEST[norm]:
        raise ValueError(f"a bound lies above 0 and up to {LARGEST[norm]:g} levels of 255; got {bound:g}")


def change_within(
    logits: Logits,
    clean: Tensor,
    goal: Goal,
    norm: Norm,
    bound: float,
    steps: int = STEPS,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Adversarial:
    """The change inside a bound (in 8-bit levels) that goes furthest towards the goal, and beyond it."""
    check_bound(norm, bound)
    search = _begun(logits, clean, goal, norm, steps, progress, cancel)
    search.expected = steps + 1
    pixels, margin = search.attack(bound, None, stop=False)
    search.attempts.append(Attempt(bound, margin, margin < 0))
    whole, stored = search.rounded(pixels, math.ceil(bound)) if norm == "linf" and margin < 0 else (None, None)
    search.finish()
    return search.result(pixels, bound, margin < 0, 0.0 if margin < 0 else bound, whole, stored)


def _begun(
    logits: Logits,
    clean: Tensor,
    goal: Goal,
    norm: Norm,
    steps: int,
    progress: Progress | None,
    cancel: threading.Event | None,
) -> _Search:
    if steps < 1:
        raise ValueError(f"an attack needs at least one step; got {steps}")
    clean = clean.double()
    with torch.no_grad():
        if goal.reached(logits(clean)):
            raise ValueError("the photo as it is gives the asked-for answer already: choose another class")
    return _Search(logits, clean, goal, norm, steps, lambda done, total: report(done, total, progress, cancel))
