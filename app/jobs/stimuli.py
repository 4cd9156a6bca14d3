"""What the Module page asks about stimuli: answers, tuning curves and the summary. None depends on the photo."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.jobs.background import Job
from app.state import network
from app.state.selection import Unit
from inception_model.analysis.selectivity import Selectivity, Tuning, branch_selectivity, node_maps, tune
from inception_model.architecture.spec import BranchKind
from inception_model.images.stimuli import Stimulus
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress


def map_of(unit: Unit, stimulus: Stimulus) -> np.ndarray:
    """The unit's channel's map (H, W) of a stimulus, remembered; raises BusyError where there is no place to run."""

    def maps(twin: Classifier) -> np.ndarray:
        return np.array(node_maps(twin, unit.module, stimulus.image())[unit.node][unit.channel])

    service = network.service()
    key = ("bench", "map", unit.module, unit.node, unit.channel, stimulus)
    return service.remember(key, lambda: service.run(maps))


def tuning_job(module: str, family: str, along: str, fixed: Mapping[str, Any]) -> Job:
    """The tuning curves (a Tuning) of all the module's channels along a parameter, the others as they stand."""

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Tuning:
        return tune(twin, module, family, along, **fixed)

    return Job(("bench", "tuning", module, family, along, tuple(sorted(fixed.items()))), compute)


def selectivity_job(module: str) -> Job:
    """What every channel of the module's branches prefers among gratings: branch -> Selectivity."""

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> dict[BranchKind, Selectivity]:
        return branch_selectivity(twin, module, progress=progress)

    return Job(("bench", "summary", module), compute)
