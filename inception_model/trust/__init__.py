"""How far a map can be believed: checks with numbers, a verdict each, and a badge that says in words what failed.

`CHECKS` is the table that everything reads; `evidence` runs some of its rows on a map that `explain` made.
"""

from .badge import Badge, Evidence
from .case import Case
from .checks import CHECKS, QUICK, Check, evidence
from .completeness import Completeness
from .conservation import Conserved
from .curves import Curve, Deletion, Insertion
from .fidelity import Infidelity, Sensitivity
from .randomisation import Randomisation, weights_hash

__all__ = [
    "CHECKS",
    "QUICK",
    "Badge",
    "Case",
    "Check",
    "Completeness",
    "Conserved",
    "Curve",
    "Deletion",
    "Evidence",
    "Infidelity",
    "Insertion",
    "Randomisation",
    "Sensitivity",
    "evidence",
    "weights_hash",
]
