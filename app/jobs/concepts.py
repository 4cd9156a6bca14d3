"""Concepts of a module on a photo, and what each gives the answer that the page Why explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.jobs.credit_order import Asked, asked
from app.state.panel import Panel
from inception_model.circuits.concepts import Concepts, Groups, along, concept_credit, concepts, groups
from inception_model.examples.index import Index
from inception_model.inference.classifier import Classifier

STRONGEST = 9
"""Images of an index that stand for a group."""


@dataclass(frozen=True)
class Told:
    """The concepts; `credit` (K,) and `rest` in logits for the score of `about`, None where no trained head reads the
    module. `among`: the groups that they come from, where they are those of an index."""

    found: Concepts
    about: Asked | None
    credit: np.ndarray | None
    rest: float
    among: Groups | None = None


def concepts_of(panel: Panel, module: str, count: int, index: Index | None = None) -> Told:
    """Of the photo itself or, with an index that has a sample, those of its images, laid over the photo; remembered.

    Raises BusyError where there is no place to run.
    """
    block, about = panel.trace().block(module), asked(panel, module)
    sample = None if index is None else index.sample

    def work(twin: Classifier) -> Told:
        activations = np.asarray(block.output[0])
        among = None if sample is None else groups(sample.of(module), count)
        found = concepts(activations, count) if among is None else along(activations, among.directions)
        if about is None:
            return Told(found, None, None, 0.0, among)
        return Told(found, about, *concept_credit(twin, block, *about, found), among)

    return panel.ask(("module-concepts", module, count, about, index and (index.data, index.limit)), work)


def strongest_images(index: Index, among: Groups, place: int) -> list[int]:
    """The numbers of the index's images in which a group is strongest; fewer where fewer have it at all."""
    assert index.sample is not None
    shares = among.shares[place]
    order = np.argsort(-shares, kind="stable")[:STRONGEST]
    return [int(index.sample.images[at]) for at in order if shares[at] > 0]
