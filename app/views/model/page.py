"""Model: where the weights come from, what they reach, what is known to be wrong, and how to get others."""

from __future__ import annotations

from app import theme
from app.figures import network_line
from app.state import network
from app.views.model import benchmark, calibration, classes, curve, facts, familiarity, image_map
from app.widgets import present

network_line.show("model")
checkpoint = network.checkpoint()
theme.heading(
    f"The network: {checkpoint.name}",
    "Everything on the other pages comes from this one file of weights and this description of the architecture.",
)
facts.facts(checkpoint)
facts.accuracy(checkpoint)
if not present.on():
    calibration.show(checkpoint)
    curve.show()
    classes.show(checkpoint)
    familiarity.show(checkpoint)
    image_map.show()
    benchmark.show()
    facts.card(checkpoint)
    theme.heading(
        "Other weights",
        "Published checkpoints are fetched only when you ask, checked against a known hash and kept in the cache; "
        "whoever runs the server can name a folder of own files, which the sidebar then lists.",
    )
    facts.published()
