"""What the Module page asks about stimuli: answers, tuning curves and the summary. None depends on the photo."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from app.jobs.background import Job
from app.state import examples, network, turn
from app.state.selection import Unit
from inception_model.analysis.selectivity import Tuning, node_maps, tune
from inception_model.circuits.families import Families, ModuleSummary, module_summary
from inception_model.examples.families import with_examples
from inception_model.images.patterns import Stimulus
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress


def map_of(unit: Unit, stimulus: Stimulus) -> np.ndarray:
    """The unit's channel's map (H, W) of a stimulus, remembered; raises BusyError where there is no place to run."""

    def maps(twin: Classifier, progress: Progress, cancel: threading.Event) -> np.ndarray:
        return np.array(node_maps(twin, unit.module, stimulus.image())[unit.node][unit.channel])

    key = ("bench", "map", unit.module, unit.node, unit.channel, stimulus)
    with turn.awaited() as waiting:
        return network.service().share(key, maps, **waiting)


def tuning_job(module: str, family: str, along: str, fixed: Mapping[str, Any]) -> Job:
    """The tuning curves (a Tuning) of all the module's channels along a parameter, the others as they stand."""

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Tuning:
        return tune(twin, module, family, along, **fixed)

    return Job(("bench", "tuning", module, family, along, tuple(sorted(fixed.items()))), compute)


def summary_job(module: str) -> Job:
    """What made-up pictures say of a module's channels (a ModuleSummary)."""

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> ModuleSummary:
        return module_summary(twin, module, progress=progress)

    return Job(("bench", "summary", module), compute)


def with_index(found: ModuleSummary) -> ModuleSummary:
    """The summary with the families that the images of an index tell, where there is one."""
    index = examples.usable()
    if index is None:
        return found
    told = with_examples(found.families, index, network.checkpoint().labels)
    return replace(found, families=told, rows=told.rows(network.spec().block(told.module)))


def known_families(module: str) -> Families | None:
    """The families of a module's channels, if its summary was asked for."""
    found: ModuleSummary | None = network.service().recall(("", summary_job(module).key))
    return None if found is None else with_index(found).families
