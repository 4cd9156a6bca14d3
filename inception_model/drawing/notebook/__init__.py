"""Answers as HTML for notebooks: no scripts, no style sheet, nothing from a network, text in the notebook's colour.

What a template shows is given by the object that draws itself (`_repr_html_` of a Trace, an Attribution and a
ComputeReport). Labels come from checkpoint files and are escaped like all other text.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..markup import markup
from ..palette import BRANCH_COLOURS, BRANCH_NAMES, COLOURS

if TYPE_CHECKING:
    from jinja2 import Environment

HEAD_COLOURS = {"aux1": COLOURS["aux1"][0], "aux2": COLOURS["aux2"][0], "main": "currentColor"}
"""Colours of the heads' bars; the main one's is that of the text, light or dark."""


def render(name: str, **values: Any) -> str:
    """The template `name` (trace, attribution, compute) with these values as HTML; raises where one is missing."""
    return _environment().get_template(f"{name}.html").render(values)


def share(value: float, largest: float) -> str:
    """How long a bar is, in percent of its track: 0 where nothing, or nothing finite, is to be shown."""
    part = value / largest if largest > 0 else 0.0
    return f"{100 * min(max(part, 0.0), 1.0):.1f}%" if math.isfinite(part) else "0%"


def exact(value: int) -> str:
    """A whole number with all its digits, in groups of three."""
    return f"{value:,}"


def shape(sizes: tuple[int, ...]) -> str:
    """A tensor's shape: `1 × 192 × 28 × 28`."""
    return " × ".join(map(str, sizes))


@cache
def _environment() -> Environment:
    environment = markup(Path(__file__).parent)
    environment.filters |= {"exact": exact, "shape": shape, "share": share}
    environment.globals |= {"BRANCHES": BRANCH_COLOURS, "NAMES": BRANCH_NAMES, "HEADS": HEAD_COLOURS}
    return environment
