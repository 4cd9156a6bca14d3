"""Ablation as a card per head, before and after, and what the sweep over every branch says in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from app.templates import render
from inception_model.analysis.ablation import AblationResult, Sweep
from inception_model.architecture.spec import BRANCHES, HeadName
from inception_model.drawing.numbers import signed
from inception_model.drawing.palette import BRANCH_NAMES
from inception_model.inference.targets import Target

Labels = Callable[[int], str]
"""From a class's index to its words."""


def result_html(result: AblationResult, trained: Sequence[HeadName], labels: Labels, count: int = 5) -> Markup:
    """A card per head: its best classes before or after, probability, change of logit and rank of each."""
    cards = [
        {
            "head": head,
            "trained": head in trained,
            "moved": float(result.delta(head)[0].abs().max()) > 0,
            "rows": [(labels(change.index), change) for change in result.top(head, count)] if head in trained else (),
        }
        for head in result.before.present
    ]
    return render("ablation.html", cards=cards)


def sweep_in_words(sweep: Sweep, target: Target, head: HeadName) -> str:
    """One plain sentence: the branch that the score needs most, and the one that holds it back."""
    flat = [
        (value, name, kind)
        for name, row in zip(sweep.modules, sweep.score_changes(head, target), strict=True)
        for kind, value in zip(BRANCHES, row, strict=True)
    ]
    need, spare = min(flat), max(flat)
    return (
        f"{head} needs {need[1]} {BRANCH_NAMES[need[2]]} most: without it the score of {target.name} changes by "
        f"{signed(need[0])} logits. Without {spare[1]} {BRANCH_NAMES[spare[2]]} it changes by {signed(spare[0])}."
    )
