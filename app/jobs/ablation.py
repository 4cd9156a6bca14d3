"""Ablation: chosen parts of the network off together, and every branch off in turn."""

from __future__ import annotations

import threading

from torch import Tensor

from app.jobs.background import Job
from app.state import network
from app.state.panel import Panel
from inception_model.analysis.ablation import FILLS, Ablation, AblationResult, Fill, Sweep, ablate, fill_means, sweep
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress


def result_of(panel: Panel, ablation: Ablation) -> AblationResult:
    """A panel's photo through the network without these parts; raises BusyError where there is no place to run."""
    trace, means = panel.trace(), _means(panel, ablation.fill)
    return panel.ask(("ablation", ablation, network.raw()), lambda twin: ablate(twin, trace, ablation, means))


def sweep_job(panel: Panel, fill: Fill) -> Job:
    """Every branch switched off, one at a time (a Sweep)."""
    trace, means = panel.trace(), _means(panel, fill)

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Sweep:
        return sweep(twin, trace, fill, means, progress=progress, cancel=cancel)

    return Job(("ablation", "sweep", fill), compute)


def _means(panel: Panel, fill: Fill) -> dict[str, Tensor] | None:
    """Module -> what the fill sets every channel to; None for zero, for which nothing has to run."""
    if FILLS[fill].baseline is None:
        return None
    photo = panel.photo

    return panel.ask(
        ("ablation", "means", fill), lambda twin: fill_means(twin, twin.preprocessing(photo.image, photo.square), fill)
    )
