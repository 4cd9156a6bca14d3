"""Activation patching between the two photos of a page: what of the first turns the second one's answer."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from app.jobs.background import Job
from app.state import network
from app.state.panel import Panel
from inception_model.analysis.patching import PatchEffects, Turn, contrast, patch_effects, turn
from inception_model.architecture.address import modules_seen
from inception_model.architecture.spec import BRANCHES, HeadName
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.progress import Progress

SHARE = 4
"""The search for what turns the answer tries every branch again, up to so many times."""


@dataclass(frozen=True)
class Patching:
    """The effect of every branch, and what turns the answer."""

    effects: PatchEffects
    turn: Turn


def goal_of(first: Panel, second: Panel, head: HeadName, target: Target) -> Target:
    """The contrast that is explained, else the first photo's answer minus the second's; raises PatchError where the
    two are the same."""
    if target.minus is not None:
        return target
    return contrast(network.service().classifier, first.trace(), second.trace(), head)


def patching_job(first: Panel, second: Panel, head: HeadName, goal: Target) -> Job:
    """A Patching of the second panel's photo; the key names the first photo."""
    a, b = first.trace(), second.trace()

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Patching:
        def told(done: float) -> None:
            progress(round(1000 * done), 1000 * SHARE)

        effects = patch_effects(twin, a, b, head, goal, progress=lambda k, n: told(k / n), cancel=cancel)
        found = turn(twin, a, b, effects, progress=lambda k, n: told(1 + (SHARE - 1) * k / n), cancel=cancel)
        return Patching(effects, found)

    return Job(("why", "patching", first.photo.key, head, goal), compute)


def cost(head: HeadName) -> float:
    """At most, in forward passes of one image: a branch of the module in the middle costs half a pass."""
    return SHARE * len(BRANCHES) * len(modules_seen(network.spec(), head)) / 2
