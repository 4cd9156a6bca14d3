"""A chart as the browser gets it."""

from __future__ import annotations

import json
from typing import Any


def drawn(figure: Any) -> dict[str, Any]:
    """What the browser gets."""
    found: dict[str, Any] = json.loads(figure.to_json())
    assert found["layout"]["template"]["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
    return found


def named(figure: Any, name: str) -> list[dict[str, Any]]:
    """Its traces of that name."""
    return [trace for trace in drawn(figure)["data"] if trace["name"] == name]
