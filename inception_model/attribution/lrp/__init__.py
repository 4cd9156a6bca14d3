"""Layer-wise relevance propagation: a score shared out over the pixels layer by layer, with sums that close.

A `Tape` remembers a forward pass, and passes relevance back along it by the rules of one of the `COMPOSITES`.
"""

from .composites import COMPOSITES, Composite, find_composite
from .conservation import Conservation, LayerShare, ModuleShare
from .rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, ZBox
from .tape import Relevance, Tape

__all__ = [
    "COMPOSITES",
    "AlphaBeta",
    "Composite",
    "Conservation",
    "Epsilon",
    "Flat",
    "Gamma",
    "LayerShare",
    "ModuleShare",
    "Relevance",
    "Rule",
    "Tape",
    "ZBox",
    "find_composite",
]
