"""All classes, searchable: what the head names of each, what it takes them for, and the pairs most often confused."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import theme
from app.state import known
from app.state.options import MODEL_CLASSES_HEAD
from app.static import script, style
from app.templates import render
from app.widgets.persistent_choice import persistent_choice
from inception_model.analysis.confusions import Confusions
from inception_model.architecture.spec import HeadName
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError
from inception_model.drawing.numbers import short

COMMAND = "inceptionscope evaluate --data DATA --confusions"
MOST = 60
"""Pairs that the list shows at once; a search finds the others."""

_TABLE = st.components.v2.component(
    "scope_classes", html=render("model_classes.html"), css=style("model_classes"), js=script("model_classes")
)


def sentence(counted: Confusions, head: HeadName, checkpoint: Checkpoint) -> str:
    """The pair most often confused, the class that is hardest, in numbers."""
    pairs = counted.pairs(head, 1)
    rated = [(share, index) for index, share in enumerate(counted.top1(head)) if share is not None]
    share, worst = min(rated)
    most = ""
    if pairs:
        first, second = (short(checkpoint.label(index).words) for index in (pairs[0].first, pairs[0].second))
        most = f" Most often confused: {first} and {second}, {pairs[0].count} times."
    return (
        f"What {head} says first about {counted.images:,} images ({counted.split}).{most} "
        f"Hardest: {short(checkpoint.label(worst).words)}, named in {share:.0%} of its images."
    )


def rows(checkpoint: Checkpoint, counted: Confusions | None, head: HeadName | None) -> list[dict[str, Any]]:
    """A row per class, in the network's order."""
    shares = counted.top1(head) if counted is not None and head is not None else None
    found: list[dict[str, Any]] = []
    for index in range(checkpoint.spec.classes):
        label = checkpoint.label(index)
        name = short(label.words)
        row = {
            "index": index,
            "name": name,
            "more": label.words[len(name) :].lstrip(", "),
            "words": label.words,
            "wnid": label.wnid,
        }
        if shares is not None and counted is not None and head is not None:
            share, taken = shares[index], counted.taken_for(head, index)
            row |= {
                "top1": share,
                "said": "–" if share is None else f"{share:.0%}",
                "taken": "" if taken is None else f"{short(checkpoint.label(taken[0]).words)} ({taken[1]})",
            }
        found.append(row)
    return found


def pair_rows(checkpoint: Checkpoint, counted: Confusions, head: HeadName) -> list[dict[str, Any]]:
    """A row per pair that was confused at least twice, most often first."""
    return [
        {
            "first": short(checkpoint.label(pair.first).words),
            "second": short(checkpoint.label(pair.second).words),
            "there": pair.there,
            "back": pair.back,
        }
        for pair in counted.pairs(head)
        if pair.count > 1
    ]


def show(checkpoint: Checkpoint) -> None:
    """The section; without a file of confusions the list of classes alone."""
    wrong, counted = "", None
    try:
        counted = known.confusions()
    except CheckpointError as error:
        wrong = str(error)
    head: HeadName | None = None
    place = st.container()
    if counted is not None:
        heads = list(counted.heads)
        chosen = persistent_choice(
            st.segmented_control, "Head", MODEL_CLASSES_HEAD.otherwise(heads[-1]), heads, options=heads, required=True,
            wrap=True,
        )  # fmt: skip
        head = next(name for name in heads if name == chosen)
    with place:
        theme.heading(
            "The classes, and which it takes for which",
            sentence(counted, head, checkpoint)
            if counted is not None and head is not None
            else f"The {checkpoint.spec.classes} answers that it can give: every photo gets one of them.",
        )
    if wrong:
        st.html(render("caption.html", text=f"No confusions are shown: {wrong}."))
    elif counted is None:
        st.html(render("caption.html", text=f"No confusions lie beside this file. {COMMAND} counts them."))
    pairs = None if counted is None or head is None else pair_rows(checkpoint, counted, head)
    _TABLE(key="model-classes", data={"classes": rows(checkpoint, counted, head), "pairs": pairs, "most": MOST})
