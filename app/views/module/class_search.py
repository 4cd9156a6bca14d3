"""Search by class: which channels of all modules push it on this photo, and which push against it."""

from __future__ import annotations

import streamlit as st

from app import theme
from app.jobs.pushes import pushes_of
from app.state import network, options
from app.state.options import EVERYWHERE
from app.state.panel import Panel
from app.views.module import unit_cards
from app.views.module.unit_cards import Card, Side
from app.widgets.persistent_choice import persistent_choice
from inception_model.architecture.address import modules_seen
from inception_model.architecture.spec import DEFAULT_HEAD
from inception_model.circuits.pushes import Push
from inception_model.drawing.numbers import percent, short, signed
from inception_model.serving.service import BusyError


def show(panel: Panel) -> None:
    """The choice of class and head, and the channels found once a class is chosen."""
    heads = network.trained_heads()
    if not heads:
        return
    theme.heading(
        "Which channels push a class?",
        "Branch channels by their credit for the class on this photo: activation times gradient of "
        "the logit, summed over positions. (Paper, section 5: what the heads ask for.)",
    )
    checkpoint = network.checkpoint()
    words = {index: checkpoint.label(index).words for index in range(checkpoint.spec.classes)}
    with st.container(horizontal=True, key="search-choices", gap="medium"):
        index = persistent_choice(
            st.selectbox, "Class", options.SEARCH_CLASS, words,
            options=sorted(words, key=lambda each: words[each].lower()), format_func=words.get, index=None,
            placeholder="type a class, such as zebra", width=420,
        )  # fmt: skip
        chosen = persistent_choice(
            st.segmented_control, "At", options.SEARCH_HEAD.otherwise(heads[-1]), heads,
            options=list(heads), required=True, wrap=True,
        )  # fmt: skip
        head = next(name for name in heads if name == chosen)
        modules = modules_seen(network.spec(), head)
        module = persistent_choice(
            st.segmented_control, "In", options.SEARCH_MODULE.otherwise(modules[-1]), (*modules, EVERYWHERE),
            options=[*modules, EVERYWHERE], required=True, wrap=True,
        )  # fmt: skip
    if index is None:
        return
    try:
        ahead, against = pushes_of(panel, head, index, None if module == EVERYWHERE else module)
    except BusyError as error:
        st.warning(str(error))
        return
    probability, name = float(panel.trace().probabilities(head)[0, index]), short(words[index])
    exact = head == DEFAULT_HEAD and module == network.spec().module_names[-1]
    note = (
        f"{name} has {percent(probability)} at {head} on this photo. Credit in logits, "
        f"{'the exact share of the logit' if exact else 'its first-order estimate'}; on another photo other channels "
        "may do it."
    )
    sides = [
        Side(title, f"the {len(found)} strongest", cards(panel, found))
        for title, found in ((f"push {name} at {head}", ahead), ("push against it", against))
    ]
    unit_cards.draw(sides, note, "search-cards")


def cards(panel: Panel, found: tuple[Push, ...]) -> tuple[Card, ...]:
    """A card for each channel with its credit."""
    tiles = unit_cards.tiles_of(each.unit for each in found)
    told = [(each.unit, signed(each.credit, 3)) for each in found]
    return tuple(unit_cards.card(panel, unit, tiles, [credit], credit) for unit, credit in told)
