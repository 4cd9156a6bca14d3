"""Chosen classes when another network is chosen: the same class where the new one knows it, else none.

Choices of a class are kept by their number, which means another class in a network with other labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.state import options, session
from app.state.options import Option
from inception_model.architecture.labels import Label

CHOSEN: tuple[Option[Any], ...] = (
    options.SEARCH_CLASS, options.HEADS_CLASS, options.FOOL_TOWARDS, options.WHY_CLASS, options.WHY_MINUS,
)  # fmt: skip
"""Every choice of a class: its number, or the number as text."""


def follow(before: Sequence[Label], after: Sequence[Label]) -> None:
    """Translates the choices from one network's classes to another's, by WordNet id."""
    if tuple(before) == tuple(after):
        return
    numbers = {label.wnid: label.index for label in after}
    for choice in CHOSEN:
        kept = session.option(choice)
        if kept is None or kept == choice.default or not str(kept).isdecimal():
            continue
        wnid = before[int(kept)].wnid if int(kept) < len(before) else None
        found = numbers.get(wnid) if wnid is not None else None
        session.set_option(choice, choice.default if found is None else type(kept)(found))
