"""Credit of a module's channels for the answer that the page Why explains: what the atlas can be ordered by."""

from __future__ import annotations

import numpy as np

from app.jobs.attribution import target_of, words_of
from app.state import network, options, session
from app.state.panel import Panel
from inception_model.analysis.channel_effects import channel_effects
from inception_model.architecture.address import reaches
from inception_model.architecture.spec import BRANCH_UNIT, HeadName
from inception_model.drawing.numbers import signed
from inception_model.inference.targets import Target, TargetError

Asked = tuple[HeadName, Target]
"""A head, and the class or contrast that is explained there."""


def asked(panel: Panel, module: str) -> Asked | None:
    """What the page Why explains, as far as the module can speak of it; None where no trained head lies behind it.

    A head that hangs before the module gives way to the deepest one, a class that cannot be read to the head's answer.
    """
    heads = [head for head in network.trained_heads() if reaches(network.spec(), module, head)]
    if not heads:
        return None
    wanted = session.option(options.WHY_HEAD)
    head = wanted if wanted is not None and wanted in heads else heads[-1]
    try:
        return head, target_of(panel, head, session.option(options.WHY_TARGET))
    except TargetError:
        return head, target_of(panel, head, "auto")


def credits_of(panel: Panel, module: str, about: Asked) -> dict[str, np.ndarray]:
    """Node -> (C,) credit of every channel for the score of a target on a panel's photo, in logits.

    Activation times gradient, summed over positions: at the last module's outputs the logit's very share, elsewhere
    its first-order estimate.
    """
    head, target = about
    classes = [target.index] if target.minus is None else [target.index, target.minus]
    block = panel.trace().block(module)
    found = panel.ask(
        ("module-credit", module, head, tuple(classes)), lambda twin: channel_effects(twin, block, head, classes)
    )
    sign = np.asarray([1.0, -1.0])[: len(classes), None]
    return {node: (values.numpy() * sign).sum(axis=0) for node, values in found.values.items()}


def in_words(panel: Panel, module: str, about: Asked) -> str:
    """For which answer channels are ordered, what their credit is, and between which numbers it lies."""
    head, target = about
    found = credits_of(panel, module, about)
    every = np.concatenate([found[node] for node in BRANCH_UNIT.values()])
    last = network.spec().module_names[-1]
    kind = "each branch channel's exact share of the logit" if module == last else "to first order"
    return (
        f"Strongest credit for {words_of(target)} at {head} first: activation times gradient, {kind}, from "
        f"{signed(float(every.max()))} down to {signed(float(every.min()))} logits."
    )
