"""Credit of the branches for a score: 5b's exact split, and the ledger over all modules."""

from __future__ import annotations

import threading
from typing import NamedTuple

from app.jobs.background import Job
from app.state import network, options, session
from app.state.panel import Panel
from inception_model.analysis.conductance import CreditLedger, ExactSplit, credit_ledger, exact_split
from inception_model.architecture.spec import HeadName
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.progress import Progress


class Cut(NamedTuple):
    """How the ledger's path is cut: steps to begin with, percent that a row's residual may have, most gradients."""

    steps: int
    error: float
    limit: int


def chosen_cut() -> Cut:
    """As it is chosen on the page Why."""
    return Cut(
        session.option(options.WHY_LEDGER_STEPS),
        session.option(options.WHY_LEDGER_ERROR),
        session.option(options.WHY_LEDGER_LIMIT),
    )


def split_of(panel: Panel, target: Target) -> ExactSplit:
    """5b's exact split of the main score."""
    return panel.remember(
        ("why", "split", target), lambda: exact_split(network.service().classifier, panel.trace(), target)
    )


def conductance_job(panel: Panel, head: HeadName, target: Target, baseline_name: str, cut: Cut) -> Job:
    """The credit ledger (a CreditLedger) of a panel's photo; of noise, one image is the baseline."""
    photo = panel.photo

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> CreditLedger:
        x = twin.preprocessing(photo.image, photo.square)
        start = baseline(baseline_name, x, twin.preprocessing)
        return credit_ledger(
            twin,
            x,
            start,
            target,
            head,
            steps=cut.steps,
            error=cut.error,
            limit=cut.limit,
            progress=progress,
            cancel=cancel,
        )

    return Job(("why", "ledger", head, target, baseline_name, cut), compute)
