"""Checkpoint: weights that travel with their spec, preprocessing, labels, provenance and model card."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from .data import Label
from .network import GoogLeNet, fold_batch_norm
from .preprocessing import Preprocessing
from .spec import HeadName, NetworkSpec


class CheckpointError(ValueError):
    """A checkpoint can't be used; the message says what was found, what is expected and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to ask a trained network. `state` is keyed as `GoogLeNet(spec).state_dict()`.

    `heads_trained`: heads whose logits are predictions; others exist but were never trained (torchvision's aux).
    `source`: where the weights come from, in words. `sha256`: of the file.
    """

    name: str
    spec: NetworkSpec
    preprocessing: Preprocessing
    labels: tuple[Label, ...]
    state: dict[str, Tensor] = field(repr=False)
    heads_trained: tuple[HeadName, ...]
    source: str
    sha256: str
    card: str = field(default="", repr=False)
    accuracy: dict[str, Any] = field(default_factory=dict)

    def network(self) -> GoogLeNet:
        """The network with these weights, batch norm folded, float32, in eval mode, frozen, on the CPU."""
        network = GoogLeNet(self.spec)
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in self.state.items()})
        return fold_batch_norm(network.eval()).requires_grad_(False)

    def with_name(self, name: str) -> Checkpoint:
        """The same checkpoint under another name."""
        return replace(self, name=name)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
