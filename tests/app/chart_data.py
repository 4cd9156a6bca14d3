"""Charts as the browser gets them, and a page that has them all."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from app.widgets.chart import DRAWN
from inception_model.images.disturbances import DISTURBANCES

LATER = frozenset(
    {
        *("channel-histogram", "channel-profiles"),
        *("heads-charts", "heads-probes", "heads-apart"),
        *("model-reliability-aux1", "model-reliability-aux2", "model-reliability-main", "model-training"),
        *(f"fool-{name}-chart" for name in DISTURBANCES),
        *("fool-depth", "model-images", "vote-running"),
        *("cost-modules", "cost-network", "cost-branches", "cost-lab", "cost-timings"),
        *("study-auxiliary", "study-auxiliary-gradients", "study-naive", "study-one-by-one", "study-pooling"),
    }
)
"""The keys of the charts that wait until the browser asks for them. AppTest has no browser that would."""


def ask_for_charts(app: AppTest) -> AppTest:
    """From the next run on every page has its charts, as if the browser had asked for them."""
    app.session_state[f"scope.{DRAWN}"] = LATER
    return app


def drawn(figure: Any) -> dict[str, Any]:
    """What the browser gets."""
    found: dict[str, Any] = json.loads(figure.to_json())
    assert found["layout"]["template"]["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
    return found


def named(figure: Any, name: str) -> list[dict[str, Any]]:
    """Its traces of that name."""
    return [trace for trace in drawn(figure)["data"] if trace["name"] == name]
