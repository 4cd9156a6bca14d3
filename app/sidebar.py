"""The sidebar: which checkpoint, on which device, in which precision; teach mode and the tour."""

from __future__ import annotations

import streamlit as st

from app.state import network
from app.templates import as_text
from app.widgets import teach, tour
from inception_model.checkpoints.checkpoint import BUNDLED, CheckpointError
from inception_model.checkpoints.download import PUBLISHED, local_file
from inception_model.inference.classifier import DEFAULT_DEVICE, DeviceError, available_devices

FILE = "a file"


def checkpoints() -> list[str]:
    """Names that can be loaded without fetching anything: the bundled one and those already fetched."""
    return [BUNDLED, *(name for name, entry in PUBLISHED.items() if local_file(entry).is_file())]


def show() -> None:
    """Draws the three choices and applies them; what can't be loaded is said in one sentence and nothing changes."""
    with st.sidebar:
        choice = st.selectbox("Checkpoint", [*checkpoints(), FILE], key="checkpoint", bind="query-params")
        # A path is never taken from the address: a link must not make this machine open a file.
        path = (
            st.text_input("Path of a checkpoint file", key="path", placeholder="~/googlenet.pth")
            if (choice == FILE)
            else ""
        )
        device = st.selectbox("Device", [DEFAULT_DEVICE, *available_devices()], key="device", bind="query-params")
        precision = st.selectbox("Precision", network.precisions(device), key="precision", bind="query-params")
        wanted = (path.strip() if choice == FILE else choice, device, precision)
        if not wanted[0]:
            st.caption("Published weights are fetched on the Model page.")
        elif wanted != network.settings():
            try:
                network.set_settings(*wanted)
            except (CheckpointError, DeviceError, ValueError, OSError) as error:
                st.error(as_text(str(error)))


def learning() -> None:
    """Draws the switch of teach mode and what starts the tour; to be called when the link's view is restored."""
    with st.sidebar:
        teach.switch("teach", "Teach mode", "Under each figure a sentence: what it means, and where that is written")
        st.button("Take the tour", on_click=tour.take)
