"""Where a score went under layer-wise relevance propagation: by module and branch, and what each layer absorbed."""

from __future__ import annotations

from markupsafe import Markup

from app.templates import render
from inception_model.architecture.spec import BRANCHES
from inception_model.attribution.lrp.conservation import Conservation
from inception_model.drawing.numbers import signed_number

NAMED = 3
"""Channels that are named per module."""


def modules_html(found: Conservation) -> Markup:
    """The relevance of every module's output as a sum of its four branches, and its strongest channels."""
    rows = [
        {
            "module": row.module,
            "reached": row.reached,
            "sum": row.total,
            "strongest": ", ".join(
                f"{place.partition(':')[2]} ({signed_number(value)})" for place, value in row.strongest(NAMED)
            ),
        }
        for row in found.modules
    ]
    return render("conservation_modules.html", branches=BRANCHES, rows=rows)


def layers_html(found: Conservation) -> Markup:
    """What every layer's bias and stabiliser absorbed, from the head down, and the whole sum."""
    return render("conservation_layers.html", found=found)
