"""Attributions: what in the image made a head score a class. The only room that imports captum.

`METHODS` is the table that everything reads; `explain` runs one of its rows.
"""

from .explaining import Attribution, allowed_layers, baseline_images, explain, find_method
from .methods import DEFAULT_METHOD, METHODS, Method
from .options import AttributionError, Option
from .task import ScoreModule

__all__ = [
    "DEFAULT_METHOD",
    "METHODS",
    "Attribution",
    "AttributionError",
    "Method",
    "Option",
    "ScoreModule",
    "allowed_layers",
    "baseline_images",
    "explain",
    "find_method",
]
