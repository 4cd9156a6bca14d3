"""The 144 crops of a photo and what one or several networks say to each."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from app.jobs.background import Job
from app.state import network
from app.state.panel import Panel
from inception_model.cost.report import compute_report
from inception_model.images.crops import CROPS
from inception_model.inference.classifier import Classifier
from inception_model.inference.voting import Votes, vote
from inception_model.progress import Progress


def vote_job(panel: Panel, other: Classifier | None = None) -> Job:
    """The Votes of the chosen network, or of another one, on all CROPS of a panel's photo."""
    image = panel.photo.image
    sha256 = network.checkpoint().identity if other is None else other.checkpoint.identity
    raw = network.raw()

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> Votes:
        begun = time.perf_counter()
        asked = twin if other is None else other.twin()
        found = vote(asked.raw() if raw else asked, image, CROPS, progress=progress, cancel=cancel)
        return replace(found, seconds=time.perf_counter() - begun)

    return Job(("vote", sha256, raw), compute)


def macs_of_a_view(classifier: Classifier) -> int:
    """Multiply-adds of one view through the network with the auxiliary heads that are asked."""
    report = compute_report(classifier.checkpoint.spec, classifier.preprocessing.size)
    asked = (cost.macs for head, cost in report.aux.items() if head in classifier.trained_heads)
    return report.total.macs + sum(asked)
