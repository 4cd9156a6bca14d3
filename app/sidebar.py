"""The sidebar: which checkpoint, on which device, in which precision; teach mode and the tour."""

from __future__ import annotations

import streamlit as st

from app.state import network, options
from app.state.operator import checkpoints
from app.templates import as_text
from app.widgets import teach, tour
from app.widgets.persistent_choice import persistent_choice
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.inference.classifier import DEFAULT_DEVICE, DeviceError, available_devices
from inception_model.serving.networks import NetworksInUseError


def show() -> None:
    """Draws the three choices and applies them; what can't be loaded is said in one sentence and nothing changes."""
    with st.sidebar:
        found = checkpoints()
        choice = st.selectbox("Checkpoint", list(found), key="checkpoint", bind="query-params")
        device = st.selectbox("Device", [DEFAULT_DEVICE, *available_devices()], key="device", bind="query-params")
        precision = st.selectbox("Precision", network.precisions(device), key="precision", bind="query-params")
        wanted = (found[choice], device, precision)
        if wanted != network.settings():
            try:
                network.set_settings(*wanted)
            except (CheckpointError, DeviceError, NetworksInUseError, ValueError, OSError) as error:
                # Visitors know the file by its name; where it lies is the operator's affair.
                st.error(as_text(str(error).replace(wanted[0], choice)))


def probabilities() -> None:
    """Draws the switch between calibrated and raw probabilities; to be called when the link's view is restored.

    Without temperatures there is nothing to switch: what is shown is raw, and the switch says so.
    """
    with st.sidebar:
        if network.checkpoint().temperatures:
            persistent_choice(
                st.toggle, "Raw probabilities", options.RAW,
                help="Plain softmax, without the temperature that makes each head as sure as it is right.",
            )  # fmt: skip
        else:
            st.toggle(
                "Raw probabilities", value=True, key="raw-only", disabled=True,
                help="This checkpoint carries no temperatures, so all its probabilities are raw.",
            )  # fmt: skip


def learning() -> None:
    """Draws the switch of teach mode and what starts the tour; to be called when the link's view is restored."""
    with st.sidebar:
        teach.switch("teach", "Teach mode", "Under each figure a sentence: what it means, and where that is written")
        st.button("Take the tour", on_click=tour.take)
