"""What a switched-off channel is set to; one choice for every page."""

from __future__ import annotations

import streamlit as st

from app.state import options
from app.widgets.persistent_choice import persistent_choice
from inception_model.analysis.ablation import FILLS, Fill


def fill_choice() -> Fill:
    """Draws the choice and returns it."""
    return persistent_choice(
        st.segmented_control, "Set to", options.ABLATION_FILL, FILLS,
        options=list(FILLS), format_func=lambda fill: FILLS[fill].words, required=True,
    )  # fmt: skip
