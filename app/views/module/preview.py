"""What the browser needs to lay a channel's map over the photo by itself, as `channel_facts.picture` does.

The maps are in the atlases already; the photo, the places of the units and the colours come along once per figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.jobs.channels import field_of, stats_of
from app.state import network
from app.state.panel import Panel, Panels
from app.state.selection import Unit
from app.views.module.channel_facts import MAP_ALPHA, PHOTO_SIDE
from inception_model.drawing import overlay
from inception_model.drawing.colormaps import TABLES
from inception_model.drawing.encoding import data_url, jpeg_bytes


def of_photo(panel: Panel) -> dict[str, Any]:
    """The photo, the part of it that the network sees (left, top, right, bottom), and the colours of maps over it."""
    preprocessing = network.checkpoint().preprocessing
    photo = overlay.fitted(panel.photo.image, PHOTO_SIDE)
    return {
        "panel": panel.key,
        "photo": data_url(jpeg_bytes(photo, quality=88), "image/jpeg"),
        "size": photo.size,
        "seen": overlay.covered_pixels(preprocessing.view(photo.size, panel.photo.square_on(photo.size)), photo.size),
        "side": preprocessing.size,
        "colours": TABLES["magma"].tobytes().hex(),
        "alpha": MAP_ALPHA,
    }


def grid_of(module: str, node: str) -> dict[str, float]:
    """Where the node's units look in the network's square (`overlay.Grid`); the same for all of its channels."""
    field = field_of(Unit(module, node, 0, 0, 0))
    return {"start": field.start, "jump": field.jump}


def shares(panels: Panels, panel: Panel, module: str, node: str) -> list[float]:
    """Where each channel's own scale ends on the one that both photos share; nothing where there is one photo."""
    if len(panels) == 1:
        return []
    own = stats_of(panel, module, node).max
    top = np.max([stats_of(each, module, node).max for each in panels], axis=0)
    return [float(share) for share in np.divide(own, top, out=np.ones_like(own), where=top > 0)]
