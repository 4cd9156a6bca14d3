"""A checkpoint's facts, its accuracy per head, and the published checkpoints that can be fetched."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from app import theme
from app.state import operator
from app.templates import as_text, render
from app.views.model.card import without_links
from app.widgets import teach
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError
from inception_model.checkpoints.download import PUBLISHED, Published, fetch, local_file


def facts(checkpoint: Checkpoint) -> None:
    """Architecture, input, labels, provenance and hash as a quiet list."""
    untrained = [head for head in checkpoint.spec.heads if head not in checkpoint.heads_trained]
    heads = ", ".join(checkpoint.heads_trained) or "none"
    if untrained:
        heads += f"; {', '.join(untrained)} exist but were never trained, so they are never shown as predictions"
    if checkpoint.fitted is not None or checkpoint.fitted_refused:
        heads += f". {checkpoint.fitted_refused if checkpoint.fitted is None else checkpoint.fitted.words}"
    five = checkpoint.spec.blocks[0].five_kernel
    kernel = "5×5 branches use true 5×5 convolutions" if five == 5 else f"5×5 branches really use {five}×{five}"
    theme.key_values(
        {
            "architecture": f"{checkpoint.spec.name}; {kernel}",
            "stored numbers": f"{sum(tensor.numel() for tensor in checkpoint.state.values()):,}",
            "input": checkpoint.preprocessing.words,
            "classes": f"{checkpoint.spec.classes} ({len(checkpoint.labels)} with a name)",
            "trained heads": heads,
            "source": checkpoint.source,
            "sha256": checkpoint.sha256,
        }
    )


def accuracy(checkpoint: Checkpoint) -> None:
    """Top-1 and top-5 per trained head, where the checkpoint carries them."""
    theme.heading("Accuracy of the heads", "One centre view per image, on the validation images named in the card.")
    fits = () if checkpoint.fitted is None else checkpoint.fitted.fits
    known = dict(checkpoint.accuracy)
    known |= {head: asdict(right) for fit in fits for head, right in fit.accuracy.items()}
    measured = {head: known[head] for head in checkpoint.heads_trained if head in known}
    if not measured:
        st.html(render("caption.html", text="This file carries no measured accuracy."))
        return
    st.html(render("model_accuracy.html", measured=measured))
    for fit in fits:
        words = f"{' and '.join(fit.accuracy)}: on the {fit.held_out:,} held-out images of their own fit."
        st.html(render("caption.html", text=words))
    teach.note("accuracy")


def card(checkpoint: Checkpoint) -> None:
    """The model card: data, licence, recipe, what it can't do."""
    if checkpoint.card:
        theme.heading("Model card", "As it travels with the file.")
        with st.container(border=True):
            st.markdown(without_links(checkpoint.card))
        teach.note("model-card")


def published() -> None:
    """Every published checkpoint: what it is, whether it is here, and a button that fetches it."""
    for entry in PUBLISHED.values():
        with st.container(border=True):
            _published(entry)


def _published(entry: Published) -> None:
    words, action = st.columns([5, 1], vertical_alignment="center")
    here = local_file(entry).is_file()
    # Where files lie is a matter of whoever runs the server, not of its visitors.
    place = entry.by_hand if operator.may_fetch() and not here else f"File: {entry.file_name}"
    words.html(render("model_published.html", entry=entry, place=place))
    if here:
        action.html(render("quiet.html", text="choose it in the sidebar"))
    elif not operator.may_fetch():
        action.html(render("quiet.html", text="fetching is off on this server"))
    elif action.button("Fetch", key=f"fetch-{entry.name}"):
        _fetch(entry)


def _fetch(entry: Published) -> None:
    """Runs in this session's own thread: leaving the page stops it, and the next try goes on where it stopped."""
    bar = st.progress(0.0, text=f"fetching {entry.file_name}")

    def tell(done: int, total: int) -> None:
        bar.progress(min(done / max(total, 1), 1.0), text=f"{done / 1e6:.1f} of {total / 1e6:.1f} MB")

    try:
        fetch(entry, progress=tell)
    except CheckpointError as error:
        bar.empty()
        st.error(as_text(str(error)))
    else:
        st.rerun()
