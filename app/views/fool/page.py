"""Fool: what must happen to a photo until the heads say something else."""

from app.figures import network_line
from app.state import network
from app.state.panel import panels
from app.views.fool import attack, sliders
from app.widgets import filmstrip, halves, present

filmstrip.strip("fool-film")  # noqa: B005 - the filmstrip
network_line.show("fool")
shown = panels()
halves.alone(shown)
if network.trained_heads():
    sliders.show(shown[0])
    if not present.on():
        attack.show(shown[0])
else:
    sliders.alone()
