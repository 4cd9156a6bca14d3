"""Which channels push a class on a photo: one pass through the network and back."""

from __future__ import annotations

from app.state import network
from app.state.panel import Panel
from inception_model.architecture.spec import HeadName
from inception_model.circuits.connections import CONNECTIONS
from inception_model.circuits.pushes import Credit, Push, class_credit, strongest
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target

MOST = 3 * CONNECTIONS
"""Channels of each direction that are told."""


def pushes_of(
    panel: Panel, head: HeadName, index: int, module: str | None
) -> tuple[tuple[Push, ...], tuple[Push, ...]]:
    """For and against the class in one module or all, strongest first; raises BusyError where there is no place to
    run."""
    photo = panel.photo

    def work(twin: Classifier) -> Credit:
        return class_credit(twin, twin.prepare(photo.image, photo.square), head, Target(index))

    credit = panel.ask(("module-pushes", head, index), work)
    chosen = credit if module is None else {module: credit[module]}
    return strongest(network.spec(), chosen, MOST)
