"""Concepts of a module on a photo, and what each gives the answer that the page Why explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.jobs.credit_order import Asked, asked
from app.state.panel import Panel
from inception_model.circuits.concepts import Concepts, concept_credit, concepts
from inception_model.inference.classifier import Classifier


@dataclass(frozen=True)
class Told:
    """The concepts; `credit` (K,) and `rest` in logits for the score of `about`, None where no trained head reads the
    module."""

    found: Concepts
    about: Asked | None
    credit: np.ndarray | None
    rest: float


def concepts_of(panel: Panel, module: str, count: int) -> Told:
    """Remembered; raises BusyError where there is no place to run."""
    block, about = panel.trace().block(module), asked(panel, module)

    def work(twin: Classifier) -> Told:
        found = concepts(np.asarray(block.output[0]), count)
        if about is None:
            return Told(found, None, None, 0.0)
        return Told(found, about, *concept_credit(twin, block, *about, found))

    return panel.ask(("module-concepts", module, count, about), work)
