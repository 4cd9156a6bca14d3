"""Everything that the report says about a photo."""

from __future__ import annotations

import threading

from app.jobs.background import Job
from app.state.panel import Panel
from inception_model.analysis.ood_file import Known
from inception_model.analysis.probes import Probes
from inception_model.inference.classifier import Classifier
from inception_model.progress import Progress
from inception_model.report import Findings, Settings, collect


def report_job(panel: Panel, chosen: Settings, probes: Probes | None, known: Known | None) -> Job:
    """The report's findings about a panel's photo."""
    photo = panel.photo

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Findings:
        return collect(twin, photo, chosen, probes=probes, known=known, progress=progress, cancel=cancel)

    return Job(("report", chosen, probes, known), compute)
