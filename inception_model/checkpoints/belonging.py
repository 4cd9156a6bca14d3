"""What lies beside a checkpoint belongs to exactly one file of weights, which it names by its hash."""

from __future__ import annotations

from .checkpoint import Checkpoint, CheckpointError
from .messages import shown


def require_made_for(checkpoint: Checkpoint, sha256: str, what: str, remedy: str) -> None:
    """Raises CheckpointError where the weights are others; `what` begins the sentence: "they were trained on"."""
    if sha256 != checkpoint.sha256:
        raise CheckpointError(
            f"{what} a checkpoint with sha256 {shown(sha256[:12])}..., and {checkpoint.name} has "
            f"{checkpoint.sha256[:12]}...: {remedy}"
        )
