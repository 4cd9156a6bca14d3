"""Ablation: chosen parts of the network off together, and every branch off in turn."""

from __future__ import annotations

import threading

from torch import Tensor

from app.jobs.background import Job
from app.state import network
from app.state.panel import Panel
from inception_model.analysis.ablation import Ablation, AblationResult, Fill, Sweep, ablate, channel_means, sweep
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress


def result_of(panel: Panel, ablation: Ablation) -> AblationResult:
    """A panel's photo through the network without these parts; raises BusyError where there is no place to run."""
    service, trace = network.service(), panel.trace()
    means = blurred_means(panel) if ablation.fill == "mean" else None
    return panel.remember(
        ("ablation", ablation), lambda: service.run(lambda twin: ablate(twin, trace, ablation, means))
    )


def sweep_job(panel: Panel, fill: Fill) -> Job:
    """Every branch switched off, one at a time (a Sweep)."""
    trace, means = panel.trace(), blurred_means(panel) if fill == "mean" else None

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Sweep:
        return sweep(twin, trace, fill, means, progress=progress, cancel=cancel)

    return Job(("ablation", "sweep", fill), compute)


def blurred_means(panel: Panel) -> dict[str, Tensor]:
    """Module -> every channel's mean over the blurred photo: what the fill `mean` puts in."""
    image = panel.photo.image

    def means(twin: Classifier) -> dict[str, Tensor]:
        x = twin.preprocessing(image)
        return channel_means(twin, baseline("blur", x, twin.preprocessing))

    return panel.remember(("ablation", "means"), lambda: network.service().run(means))
