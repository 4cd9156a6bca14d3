"""What the Module page asks about stimuli: answers, tuning curves and the summary, remembered whatever the photo."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, cast

import numpy as np

from app import state
from app.jobs import background
from app.jobs.background import Compute
from app.views.module.channel_facts import Unit
from inception_model.analysis.selectivity import Selectivity, Tuning, branch_selectivity, node_maps, tune
from inception_model.architecture.spec import BranchKind
from inception_model.images.stimuli import Stimulus
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress


def map_of(unit: Unit, stimulus: Stimulus) -> np.ndarray:
    """What the unit's channel answers to a stimulus: its map (H, W). Remembered whatever the photo is."""

    def maps(twin: Classifier) -> np.ndarray:
        return node_maps(twin, unit.module, stimulus.image())[unit.node][unit.channel].copy()

    service = state.service()
    key = ("bench", "map", unit.module, unit.node, unit.channel, stimulus)
    return cast(np.ndarray, service.remember(key, lambda: service.run(maps)))


def tuning_of(module: str, family: str, along: str, fixed: dict[str, Any]) -> Tuning | None:
    """The tuning curves of all the module's channels along a parameter; None while they are on their way."""

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Tuning:
        return tune(twin, module, family, along, **fixed)

    key = ("bench", "tuning", module, family, along, tuple(sorted(fixed.items())))
    return cast("Tuning | None", without_photo("bench-tuning", key, compute, "Tuning curve", patience=2.0))


def summary_of(module: str) -> dict[BranchKind, Selectivity] | None:
    """What every channel of the module's branches prefers among gratings; None before it was asked for and done."""

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Any:
        return branch_selectivity(twin, module, progress=progress)

    found = without_photo("module-summary", ("bench", "summary", module), compute, "Gratings", ask="Show the gratings")
    return cast("dict[BranchKind, Selectivity] | None", found)


def without_photo(slot: str, key: Hashable, compute: Compute, title: str, **settings: Any) -> Any | None:
    """`background.answer` to what does not depend on the photo: known for one, it is known for all."""
    service = state.service()

    def once(twin: Classifier, progress: Progress, cancel: threading.Event) -> Any:
        return service.remember(key, lambda: compute(twin, progress, cancel))

    known = service.recall(key)
    return background.answer(slot, key, once, title, **settings) if known is None else known
