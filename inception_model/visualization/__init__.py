"""Feature visualisation: pictures that show what a channel, a neuron, a direction or a class looks for.

Seconds for a picture of 128 pixels in 128 steps, on one thread of a server CPU with AVX-512 (alone; in a batch of 8):
conv2 2.8; 2.8 in float32 and 2.2; 1.6 in bfloat16, 3b 3.6; 3.6 and 3.5; 2.2, 4a 4.8; 3.9 and 4.3; 2.8, 4d 6.3; 4.8 and
6.0; 3.5, 5b 9.1; 5.9 and 7.9; 4.3.
"""

from __future__ import annotations

from .objectives import Objective, channel, class_logit, difference, direction, negative
from .places import Place, UnitError
from .result import Natural, Visualization
from .settings import Settings
from .visualizing import visualize

__all__ = [
    "Natural",
    "Objective",
    "Place",
    "Settings",
    "UnitError",
    "Visualization",
    "channel",
    "class_logit",
    "difference",
    "direction",
    "negative",
    "visualize",
]
