"""The same photo as seen by each head in turn: how sure, how far from the final answer, how far from each other.

Section 5 of the paper hangs two auxiliary classifiers on 4a and 4d so that the modules there learn to tell classes
apart; with the main head they are three readings of one network at three depths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from ..architecture.address import head_modules
from ..architecture.spec import HeadName
from ..inference.classifier import Answer, Classifier
from ..inference.trace import Trace
from ..training.evaluation import HeadAccuracy
from .ablation import ranks
from .probes import Probes, probe_logits

MOST_DIVERGENT = math.log(2)
"""The Jensen-Shannon divergence, in nats, of two heads that share no class at all."""


@dataclass(frozen=True)
class Reading:
    """What one classifier on a module's output says of one image.

    `module`: which one, and `depth`, its place from 1. `top`: best classes first. `entropy` of all probabilities in
    nats, `entropy_share` of ln(classes), which is knowing nothing. `margin`: probability of the best class minus that
    of the second. `probability` and `rank` (from 1) are those of the time line's class.
    """

    module: str
    depth: int
    top: tuple[Answer, ...]
    entropy: float
    entropy_share: float
    margin: float
    probability: float
    rank: int

    @property
    def answer(self) -> Answer:
        """The most probable class."""
        return self.top[0]


@dataclass(frozen=True)
class Step(Reading):
    """A trained head's reading of one image, after the module on which it hangs."""

    head: HeadName


@dataclass(frozen=True)
class ProbeStep(Reading):
    """A linear probe's reading of one image; `accuracy`: what the probe gets right on validation images."""

    accuracy: HeadAccuracy


@dataclass(frozen=True)
class Divergence:
    """How differently two heads spread their probability: Jensen-Shannon divergence in nats, 0 to ln 2."""

    first: HeadName
    second: HeadName
    nats: float

    @property
    def share(self) -> float:
        """Of the largest possible: 0 for the same probabilities, 1 for no class in common."""
        return self.nats / MOST_DIVERGENT


@dataclass(frozen=True)
class Timeline:
    """One class followed through the trained heads, in the order of depth.

    `untrained`: heads that exist without ever having been trained; their logits are noise and nothing is said of them.
    `divergences`: every pair of trained heads. `probes`: the same at every module that has a probe, in the order of
    depth; they were trained afterwards and are no part of the network.
    """

    index: int
    label: str
    classes: int
    steps: tuple[Step, ...]
    untrained: tuple[tuple[HeadName, str], ...]
    divergences: tuple[Divergence, ...]
    probes: tuple[ProbeStep, ...] = ()

    @property
    def agree(self) -> bool:
        """Whether all trained heads give the same answer."""
        return len({step.answer.index for step in self.steps}) <= 1

    @property
    def changes(self) -> tuple[tuple[Step, Step], ...]:
        """Neighbouring heads whose answers differ: where the network changes its mind."""
        pairs = zip(self.steps, self.steps[1:], strict=False)
        return tuple((a, b) for a, b in pairs if a.answer.index != b.answer.index)

    @property
    def settled(self) -> Step | None:
        """The first head from which on the class is every head's answer; None where it is not the last one's."""
        found = None
        for step in reversed(self.steps):
            if step.rank != 1:
                break
            found = step
        return found

    @property
    def first_probe(self) -> ProbeStep | None:
        """The first module whose probe has the class in first place; None where no probe has."""
        return next((step for step in self.probes if step.rank == 1), None)


def entropy(probabilities: Tensor) -> Tensor:
    """(..., K) -> (...): -sum p ln p in nats; 0 is certain, ln K knows nothing."""
    parts: Tensor = torch.special.entr(probabilities)
    return parts.sum(dim=-1)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """(..., K), (..., K) -> (...): Jensen-Shannon divergence in nats (Lin 1991), symmetric, 0 to ln 2.

    The entropy of the mean of both minus the mean of their entropies; its square root is the distance of that name.
    """
    return (entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2).clamp_min(0)


def timeline(
    classifier: Classifier, trace: Trace, index: int | None = None, *, count: int = 5, probes: Probes | None = None
) -> Timeline:
    """The time line of the first image of a trace for class `index` (default: the deepest trained head's answer).

    `count`: classes in each head's `top`. `probes`: this checkpoint's, to be read too. Raises ValueError for a class
    that isn't there, or where no head was trained.
    """
    modules = head_modules(classifier.checkpoint.spec)
    trained = [head for head in modules if head in classifier.trained_heads]
    if not trained:
        raise ValueError(f"no head of {classifier.checkpoint.name} was ever trained, so there is no answer to follow")
    logits = {head: trace.logits(head)[0].double() for head in trained}
    classes = len(logits[trained[-1]])
    chosen = int(logits[trained[-1]].argmax()) if index is None else index
    if not 0 <= chosen < classes:
        raise ValueError(f"class {chosen} is not there; allowed: 0 to {classes - 1}")
    probabilities = {head: classifier.probabilities(values, head) for head, values in logits.items()}
    steps = tuple(
        Step(**_reading(classifier, modules[head], logits[head], head, chosen, count), head=head) for head in trained
    )
    return Timeline(
        chosen,
        classifier.checkpoint.label(chosen).words,
        classes,
        steps,
        tuple((head, module) for head, module in modules.items() if head not in trained),
        tuple(
            Divergence(a, b, float(jensen_shannon(probabilities[a], probabilities[b])))
            for a, b in combinations(trained, 2)
        ),
        () if probes is None else _probe_steps(classifier, trace, probes, chosen, count),
    )


def _probe_steps(classifier: Classifier, trace: Trace, probes: Probes, index: int, count: int) -> tuple[ProbeStep, ...]:
    return tuple(
        ProbeStep(
            # No temperature was fitted to a probe.
            **_reading(classifier, name, logits[0].double(), None, index, count),
            accuracy=probes.modules[name].accuracy,
        )
        for name, logits in probe_logits(probes, trace).items()
    )


def _reading(
    classifier: Classifier, module: str, logits: Tensor, head: HeadName | None, index: int, count: int
) -> dict[str, Any]:
    """The fields of a Reading from one row of logits (K,) of a head, or of a probe (None)."""
    probabilities = classifier.probabilities(logits, head)
    best = probabilities.topk(min(2, len(logits))).values.tolist()
    nats = float(entropy(probabilities))
    return {
        "module": module,
        "depth": classifier.checkpoint.spec.module_names.index(module) + 1,
        "top": tuple(classifier.top(logits, head, count)),
        "entropy": nats,
        "entropy_share": nats / math.log(len(logits)) if len(logits) > 1 else 0.0,
        "margin": best[0] - sum(best[1:]),
        "probability": float(probabilities[index]),
        "rank": int(ranks(logits.unsqueeze(0))[0, index]),
    }
