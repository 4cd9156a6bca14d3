"""What the picked channel is strongest for, in one line of measured facts: its families, and classes of an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.jobs.circuits import address_of
from app.jobs.examples import classes_of
from app.state import examples
from app.state.selection import Unit
from app.templates import render
from app.views.module.unit_cards import families_of

SHARE = 1 / 3
"""Of the strongest images that one class must have to be named."""
NAMED = 2
"""Classes that are named, the most frequent first."""
NONE = frozenset({"silent", "not selective"})
"""What is said of a channel in place of families: it is strongest for nothing."""


def show(unit: Unit) -> None:
    """The line below the panel's title; nothing where nothing was measured."""
    found = words(unit)
    if found:
        with st.container(key="channel-strongest-for"):
            st.html(render("quiet.html", text=found))


def words(unit: Unit) -> str:
    """The line: of the families that made-up pictures told, and of the classes of its strongest indexed images."""
    index = examples.usable()
    classes = None if index is None else classes_of(index, unit, "activation")
    families = [name for name in families_of(address_of(unit)) if name not in NONE]
    return line(families, classes)


def line(families: Sequence[str], classes: Mapping[str, int] | None) -> str:
    """`strongest for: orientation; zebra (4 of 9), tiger`. `classes`: how many of the strongest images show each, None
    or empty where there are none."""
    named = _named(classes) if classes else ""
    if not families and classes and not named:
        return "strongest for nothing in particular"
    if classes and not named:
        named = "no class in particular"
    told = "; ".join(filter(None, (", ".join(families), named)))
    return f"strongest for: {told}" if told else ""


def _named(classes: Mapping[str, int]) -> str:
    """The most frequent classes; empty where none has its share of the images."""
    whole = sum(classes.values())
    (first, count), *others = sorted(classes.items(), key=lambda each: -each[1])[:NAMED]
    if count / whole < SHARE:
        return ""
    rest = [f"{name} ({found})" if found > 1 else name for name, found in others]
    return ", ".join([f"{first} ({count} of {whole})", *rest])
