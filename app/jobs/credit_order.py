"""Credit of a module's channels for the answer that the page Why explains: what the atlas can be ordered by."""

from __future__ import annotations

import numpy as np

from app import state
from app.figures.ledger import signed
from app.jobs.attribution import target_of, words_of
from inception_model.analysis.channel_effects import Effects, channel_effects
from inception_model.architecture.address import reaches
from inception_model.architecture.spec import BRANCH_UNIT, HeadName
from inception_model.inference.targets import Target, TargetError

Asked = tuple[HeadName, Target]
"""A head, and the class or contrast that is explained there."""


def asked(module: str) -> Asked | None:
    """What the page Why explains, as far as the module can speak of it; None where no trained head lies behind it.

    A head that hangs before the module gives way to the deepest one, a class that cannot be read to the head's answer.
    """
    heads = [head for head in state.service().classifier.trained_heads if reaches(state.spec(), module, head)]
    if not heads:
        return None
    wanted = state.option("why.head", heads[-1])
    head = wanted if wanted in heads else heads[-1]
    try:
        return head, target_of(head, state.option("why.target", "auto"))
    except TargetError:
        return head, target_of(head, "auto")


def credits_of(module: str, about: Asked) -> dict[str, np.ndarray]:
    """Node -> (C,) credit of every channel for the score of a target on the current photo, in logits.

    Activation times gradient, summed over positions: at the last module's outputs the logit's very share, elsewhere
    its first-order estimate.
    """
    head, target = about
    classes = [target.index] if target.minus is None else [target.index, target.minus]
    block = state.trace().block(module)
    found: Effects = state.remember(
        ("module-credit", module, head, tuple(classes)),
        lambda: state.service().run(channel_effects, block, head, classes),
    )
    sign = np.asarray([1.0, -1.0])[: len(classes), None]
    return {node: (values.numpy() * sign).sum(axis=0) for node, values in found.values.items()}


def in_words(module: str, about: Asked) -> str:
    """For which answer channels are ordered, what their credit is, and between which numbers it lies."""
    head, target = about
    found = credits_of(module, about)
    every = np.concatenate([found[node] for node in BRANCH_UNIT.values()])
    last = state.spec().module_names[-1]
    kind = "each branch channel's exact share of the logit" if module == last else "to first order"
    return (
        f"Strongest credit for {words_of(target)} at {head} first: activation times gradient, {kind}, from "
        f"{signed(float(every.max()))} down to {signed(float(every.min()))} logits."
    )
