"""Activation patching: one photo runs with some branches' activations taken from another one.

What turns photo B's answer into A's when it is carried over is where the network tells the two apart (causal tracing:
Vig et al. 2020, Meng et al. 2022). A module's branches only meet in its concatenation (Figure 2(b)), so channels of a
known output are replaced and the network runs again from there on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..architecture.address import Part, modules_seen
from ..architecture.network import Heads
from ..architecture.spec import BRANCHES, BranchKind, HeadName, NetworkSpec
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..inference.trace import Trace
from ..progress import Progress, report


class PatchError(ValueError):
    """The two photos give nothing to turn; the message says why and what to do."""


@dataclass(frozen=True)
class PatchEffects:
    """Every branch that a head sees, carried over from photo A into photo B alone.

    `target`: the contrast whose score tells the two photos apart (A's class minus B's). `scores` (M, 4): its score of B
    with that branch from A, in logits; `score_a` and `score_b`: of the photos as they are. `classes` (M, 4): the head's
    answer then.
    """

    head: HeadName
    target: Target
    modules: tuple[str, ...]
    score_a: float
    score_b: float
    scores: Tensor
    classes: tuple[tuple[int, ...], ...]
    seconds: float

    @property
    def effects(self) -> Tensor:
        """(M, 4): (patched - B) / (A - B): 0 leaves B's score, 1 gives A's; less than 0 or more than 1 can be."""
        return (self.scores - self.score_b) / (self.score_a - self.score_b)

    @property
    def strongest(self) -> tuple[Part, float]:
        """The branch with the largest effect, and that effect."""
        place = int(self.effects.argmax())
        module, branch = divmod(place, len(BRANCHES))
        return Part(self.modules[module], BRANCHES[branch]), float(self.effects.flatten()[place])

    @property
    def turning(self) -> tuple[Part, ...]:
        """The branches that turn the answer alone: the head then says the target's class."""
        return tuple(
            Part(name, kind)
            for name, row in zip(self.modules, self.classes, strict=True)
            for kind, answer in zip(BRANCHES, row, strict=True)
            if answer == self.target.index
        )

    def as_dict(self) -> dict[str, Any]:
        """Scores and, module by module, the effect of every branch, ready for JSON."""
        rows = zip(self.modules, self.effects.tolist(), strict=True)
        return {
            "score_a": self.score_a,
            "score_b": self.score_b,
            "modules": [{"module": name, "effects": dict(zip(BRANCHES, row, strict=True))} for name, row in rows],
            "turning": [str(part) for part in self.turning],
        }


@dataclass(frozen=True)
class Turn:
    """What was carried over, one branch after the other, until the head said A's class.

    `effects`: after each branch, (patched - B) / (A - B). `turned`: whether it came to that.
    """

    parts: tuple[Part, ...]
    effects: tuple[float, ...]
    turned: bool

    def as_dict(self) -> dict[str, Any]:
        """Branch by branch, ready for JSON."""
        steps = zip(self.parts, self.effects, strict=True)
        return {"turned": self.turned, "steps": [{"part": str(part), "effect": effect} for part, effect in steps]}


def contrast(classifier: Classifier, a: Trace, b: Trace, head: HeadName) -> Target:
    """A's answer at a head minus B's; raises PatchError where they are the same."""
    first, second = (int(trace.logits(head)[0].argmax()) for trace in (a, b))
    labels = classifier.checkpoint.labels
    names = [labels[index].words if index < len(labels) else f"class {index}" for index in (first, second)]
    if first == second:
        raise PatchError(
            f"{head} says {names[0]} for both photos, so there is no answer to turn: name a contrast of two classes, "
            "such as 3-7"
        )
    return Target(first, second, f"{names[0]} − {names[1]}")


def up_to(spec: NetworkSpec, module: str, branch: BranchKind | None = None) -> tuple[Part, ...]:
    """That branch of every module from the first to this one; without a branch, the whole modules."""
    last = spec.module_names.index(spec.block(module).name)
    return tuple(Part(name, branch) for name in spec.module_names[: last + 1])


def patch(classifier: Classifier, a: Trace, b: Trace, parts: Sequence[Part]) -> Heads:
    """Logits (1, K) of the heads for photo B with these parts' activations taken from photo A; float32 on the CPU.

    Heads in front of all the parts, and all heads where there are no parts, keep B's. No hooks.
    """
    if not parts:
        return b.heads
    return _or_else(_run(classifier, a, b, [tuple(parts)]), b.heads)


def patch_effects(
    classifier: Classifier,
    a: Trace,
    b: Trace,
    head: HeadName,
    target: Target | None = None,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> PatchEffects:
    """Carries every branch that a head sees over from A into B, one at a time; a module's four run as one batch.

    `target`: a contrast (default: A's answer minus B's). `progress` counts modules. Raises PatchError where the
    photos' scores are the same.
    """
    started = time.perf_counter()
    goal = target or contrast(classifier, a, b, head)
    score_a, score_b = (float(goal.score(trace.logits(head))[0]) for trace in (a, b))
    if score_a == score_b:
        raise PatchError(f"the score of {goal.name or goal} at {head} is the same for both photos: nothing to turn")
    names = modules_seen(classifier.network.spec, head)
    rows: list[Tensor] = []
    classes: list[tuple[int, ...]] = []
    for done, name in enumerate(names):
        report(done, len(names), progress, cancel)
        logits = _run(classifier, a, b, [(Part(name, kind),) for kind in BRANCHES]).of(head)
        rows.append(goal.score(logits))
        classes.append(tuple(logits.argmax(1).tolist()))
    report(len(names), len(names), progress, cancel)
    seconds = time.perf_counter() - started
    return PatchEffects(head, goal, names, score_a, score_b, torch.stack(rows), tuple(classes), seconds)


def turn(
    classifier: Classifier,
    a: Trace,
    b: Trace,
    effects: PatchEffects,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Turn:
    """Carries branches over until the head says the target's class: greedily, each time the one that helps most.

    The four branches of the head's own module always give A's logits. So the search ends after three: where they do not
    suffice, those four are the answer. `progress` counts branches.
    """
    head, goal, limit = effects.head, effects.target, len(BRANCHES)
    span = effects.score_a - effects.score_b
    chosen: list[Part] = []
    reached: list[float] = []
    while len(chosen) < limit - 1:
        report(len(chosen), limit, progress, cancel)
        best, score, answer = _next(classifier, a, b, chosen, effects, cancel)
        chosen.append(best)
        reached.append((score - effects.score_b) / span)
        if answer == goal.index:
            break
    else:
        own = [Part(effects.modules[-1], kind) for kind in BRANCHES]
        chosen, reached, answer = own, [], -1
        for count in range(1, limit + 1):
            logits = _run(classifier, a, b, [tuple(own[:count])]).of(head)
            reached.append((float(goal.score(logits)[0]) - effects.score_b) / span)
            answer = int(logits[0].argmax())
    report(limit, limit, progress, cancel)
    return Turn(tuple(chosen), tuple(reached), answer == goal.index)


def _next(
    classifier: Classifier,
    a: Trace,
    b: Trace,
    chosen: Sequence[Part],
    effects: PatchEffects,
    cancel: threading.Event | None,
) -> tuple[Part, float, int]:
    """The branch that gives the highest score beside those chosen; that score, and the head's answer."""
    found: list[tuple[float, int, Part]] = []
    for place, name in enumerate(effects.modules):
        report(0, 1, None, cancel)
        tried = [Part(name, kind) for kind in BRANCHES if Part(name, kind) not in chosen]
        if not chosen:
            scores, answers = effects.scores[place].tolist(), effects.classes[place]
        else:
            logits = _run(classifier, a, b, [(*chosen, part) for part in tried]).of(effects.head)
            scores, answers = effects.target.score(logits).tolist(), tuple(logits.argmax(1).tolist())
        found += zip(scores, answers, tried, strict=True)
    score, answer, part = max(found, key=lambda row: (row[1] == effects.target.index, row[0]))
    return part, score, answer


def _masks(spec: NetworkSpec, sets: Sequence[Sequence[Part]]) -> dict[str, Tensor]:
    """Module -> (N, C, 1, 1) bool: which channels each of N sets takes from A; untouched modules are left out."""
    masks: dict[str, Tensor] = {}
    for place, parts in enumerate(sets):
        for part in parts:
            width = spec.block(part.module).out_channels
            mask = masks.setdefault(part.module, torch.zeros(len(sets), width, 1, 1, dtype=torch.bool))
            mask[place, part.channels(spec)] = True
    return masks


def _run(classifier: Classifier, a: Trace, b: Trace, sets: Sequence[Sequence[Part]]) -> Heads:
    """Logits (N, K) of B with each of N sets of parts from A, as one batch; None for heads in front of all of them."""
    network = classifier.network
    masks = _masks(network.spec, sets)
    first = next(name for name in network.spec.module_names if name in masks)

    def carry(name: str, x: Tensor) -> Tensor:
        if name not in masks:
            return x
        return torch.where(masks[name].to(x.device), classifier.to_input(a.block(name).output), x)

    start = classifier.to_input(b.block(first).output.expand(len(sets), -1, -1, -1))
    with torch.no_grad():
        heads = network.heads_from(network.trunk(start, resume=first, visit=carry))
    return heads.map(lambda logits: logits.float().cpu())


def _or_else(after: Heads, before: Heads) -> Heads:
    found: Mapping[str, Tensor] = {name: after.of(name) for name in after.present}
    return Heads(found.get("aux1", before.aux1), found.get("aux2", before.aux2), after.main)
