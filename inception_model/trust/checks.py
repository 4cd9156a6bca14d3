"""CHECKS: every check of a map as one row, read by the library, the command line, the page and the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..architecture.spec import HeadName, NetworkSpec
from ..attribution import Attribution
from ..inference.classifier import Classifier
from ..progress import Progress, report
from .badge import Badge, Evidence, NoVerdict
from .case import Case
from .completeness import completeness
from .convergence import convergence, extra_maps
from .curves import deletion, insertion
from .fidelity import measure_infidelity, measure_sensitivity
from .random_logit import random_logit
from .randomisation import cascade, randomisation
from .sparseness import sparseness
from .spread import SEEDS


@dataclass(frozen=True)
class Check:
    """A way to test a map. `question`: what it asks, in words; `quick`: takes seconds on a free CPU; `ranks`: asks
    which positions matter more than others, which a map that is the same everywhere can't answer. `maps`: how many maps
    it makes for a head of a network, `again`: how many for a method; `passes`: how many images it shows besides."""

    name: str
    question: str
    run: Callable[[Case], Evidence]
    quick: bool = False
    ranks: bool = True
    maps: Callable[[NetworkSpec, HeadName], int] = lambda spec, head: 0
    again: Callable[[str], int] = lambda method: 0
    passes: int = 0

    def cost(self, spec: NetworkSpec, head: HeadName, map_cost: float, method: str) -> float:
        """In forward passes of one image, for a map of that method that costs so many."""
        return (self.maps(spec, head) + self.again(method)) * map_cost + self.passes


_ROWS = (
    Check(
        "completeness", "Do the values add up to the score minus the baseline's score?", completeness, True, ranks=False
    ),
    Check(
        "convergence", "Does the map stay where it is with more points, or with other random numbers?", convergence,
        True, again=extra_maps,
    ),
    Check(
        "insertion", "Does the score come back fast when the important pixels are put in first?", insertion, True,
        passes=44,
    ),
    Check(
        "deletion", "Does the score fall fast when the important pixels are taken away first?", deletion, True,
        passes=44,
    ),
    Check("sparseness", "Does the map name few places, or a little of everything?", sparseness, True),
    Check(
        "randomisation", "Does the map change when the network forgets what it has learned?", randomisation,
        maps=lambda spec, head: len(SEEDS) * len(cascade(spec, head)),
    ),
    Check(
        "random logit", "Does the map change when another class is asked for?", random_logit,
        maps=lambda spec, head: min(len(SEEDS), spec.classes - 1),
    ),
    Check(
        "infidelity", "Does the map foretell how the score falls when squares are covered?", measure_infidelity,
        passes=2 * 32 * len(SEEDS),
    ),
    Check(
        "sensitivity", "Does the map stay the same under noise that nobody sees?", measure_sensitivity,
        maps=lambda spec, head: 6 * len(SEEDS),
    ),
)  # fmt: skip

CHECKS: dict[str, Check] = {check.name: check for check in _ROWS}
"""Every check by name, the quick ones first."""

QUICK: tuple[str, ...] = tuple(check.name for check in _ROWS if check.quick)
"""Names of the checks that may run without being asked for."""


def find_check(name: str) -> Check:
    """The check of that name; raises KeyError that lists the allowed ones."""
    if name not in CHECKS:
        raise KeyError(f"unknown check {name!r}; allowed: {', '.join(CHECKS)}")
    return CHECKS[name]


def named_checks(names: Sequence[str]) -> tuple[str, ...]:
    """The checks of these names, each once; `all` means every one. Raises KeyError that lists the allowed ones."""
    if "all" in names:
        return tuple(CHECKS)
    for name in names:
        find_check(name)
    return tuple(dict.fromkeys(names))


_PARTS = 1000
"""Steps of the progress per check: checks count different things, so each is given the same share."""


def evidence(
    classifier: Classifier,
    x: Tensor,
    attribution: Attribution,
    checks: Sequence[str] = QUICK,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Badge:
    """Runs checks on a map of the image `x` (1, 3, S, S), normalised, that `explain` made with this classifier.

    `progress` gives every check the same share; setting `cancel` raises Cancelled before the next step. No
    check passes an empty map. An unknown check raises KeyError that lists the allowed ones.
    """
    for name in checks:
        find_check(name)
    total = len(checks) * _PARTS
    found: list[Evidence] = []
    for number, name in enumerate(checks):

        def part(done: int, steps: int, before: int = number * _PARTS) -> None:
            report(before + _PARTS * done // max(1, steps), total, progress, cancel)

        if attribution.empty and CHECKS[name].ranks:
            found.append(_no_verdict(name, attribution))
            continue
        piece = CHECKS[name].run(Case(classifier, x, attribution, part, cancel))
        # Where score and baseline's score are equal, a sum of nothing adds up: that says nothing for the map.
        found.append(_no_verdict(name, attribution) if attribution.empty and piece.passed else piece)
    report(total, total, progress, cancel)
    return Badge(tuple(found), attribution.empty)


def _no_verdict(name: str, attribution: Attribution) -> NoVerdict:
    return NoVerdict(name, float(attribution.heatmap.flatten()[0]))
