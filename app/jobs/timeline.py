"""One class followed through the heads and probes on a photo."""

from __future__ import annotations

from app.state import network
from app.state.panel import Panel
from inception_model.analysis.probes import Probes
from inception_model.analysis.timeline import Timeline, timeline


def line_of(panel: Panel, index: int | None, probes: Probes | None) -> Timeline:
    """The time line of a panel's photo for a class, or for the deepest trained head's answer."""
    return panel.remember(
        ("heads", "line", index, probes, network.raw()),
        lambda: timeline(network.classifier(), panel.trace(), index, probes=probes),
    )
