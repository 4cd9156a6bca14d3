"""How far a map can be believed: checks with numbers, a verdict each, and a badge that says in words what failed.

`CHECKS` is the table that everything reads; `evidence` runs some of its rows on a map that `explain` made.
"""

from .badge import Badge, Evidence
from .case import Case
from .checks import CHECKS, QUICK, Check, evidence
from .completeness import Completeness
from .conservation import Conserved
from .convergence import Convergence
from .curves import Curve, Deletion, Insertion
from .fidelity import Infidelity, Sensitivity
from .random_logit import RandomLogit
from .randomisation import Randomisation, weights_hash
from .sparseness import Sparseness
from .spread import Spread

__all__ = [
    "CHECKS",
    "QUICK",
    "Badge",
    "Case",
    "Check",
    "Completeness",
    "Conserved",
    "Convergence",
    "Curve",
    "Deletion",
    "Evidence",
    "Infidelity",
    "Insertion",
    "RandomLogit",
    "Randomisation",
    "Sensitivity",
    "Sparseness",
    "Spread",
    "evidence",
    "weights_hash",
]
