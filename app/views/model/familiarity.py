"""How photos unlike the training classes are told, and how well that works."""

from __future__ import annotations

import streamlit as st

from app import theme
from app.state import known
from app.templates import render
from inception_model.analysis.ood import SCORES
from inception_model.analysis.ood_file import Known
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError

COMMAND = "inceptionscope ood DATA"


def sentence(found: Known) -> str:
    """Which score is kept, and what it does, in numbers."""
    marks, counts = found.marks[found.kept], found.counts
    return (
        f"A photo is called unlike anything it was trained on where its {found.kept} score exceeds that of "
        f"{found.limit:.0%} of new photos of its classes. On {counts['new']:,} others of these it is wrong for "
        f"{marks.alarms:.1%}; of {counts['pictures']:,} generated pictures it tells {marks.caught:.0%}. The network "
        "was trained on the held-out classes too: only the fit did not see them."
    )


def show(checkpoint: Checkpoint) -> None:
    """The section; without a file one quiet line that says how to make one."""
    theme.heading("Does it know this at all?", "Any photo gets one of its classes for an answer, whatever it shows.")
    try:
        found = known.known()
    except CheckpointError as error:
        st.html(render("caption.html", text=f"Photos unlike its classes are not told: {error}."))
        return
    if found is None:
        st.html(
            render(
                "caption.html",
                text=f"Photos unlike its classes are not told yet. {COMMAND} learns what they look like.",
            )
        )
        return
    st.html(render("say.html", text=sentence(found)))
    st.html(render("model_familiarity.html", known=found, scores=SCORES))
