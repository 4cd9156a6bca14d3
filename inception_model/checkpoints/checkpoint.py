"""Checkpoint: weights that travel with their spec, preprocessing, labels, provenance and model card."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..architecture.labels import Label
from ..architecture.network import GoogLeNet
from ..architecture.probabilities import RAW, Temperatures
from ..architecture.spec import HeadName, NetworkSpec
from ..architecture.weights import folded
from ..images.preprocessing import Preprocessing
from ..training.calibration import Calibration
from ..training.curve import TrainingCurve
from ..training.fitted import FittedHeads


def _assets() -> Path:
    """The folder of checkpoints and labels: inside the package where it is installed, beside it in a checkout."""
    installed = resources.files("inception_model") / "assets"
    return Path(str(installed)) if installed.is_dir() else Path(__file__).resolve().parents[2] / "assets"


ASSETS = _assets()
BUNDLED = "tiny-imagenet"
"""The checkpoint that comes with the project: `load` reads it from `assets/checkpoints`."""


class CheckpointError(ValueError):
    """A checkpoint can't be used; the message says what was found, what is expected and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to ask a trained network. `state` is keyed as `GoogLeNet(spec).state_dict()`.

    `heads_trained`: heads whose logits are predictions; others exist but were never trained (torchvision's aux).
    `source`: where the weights come from, in words. `sha256`: of the file. `accuracy`: head -> top1, top5 as shares.
    `calibration`: temperatures of the heads and what they change, where `calibrate` has found them. `curve`: how the
    training went, where `train` has written it. `fitted`: the heads among `heads_trained` that were fitted afterwards
    and lie in a file beside the weights; `fitted_refused`: why such a file is not used.
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
    calibration: Calibration | None = field(default=None, repr=False)
    curve: tuple[TrainingCurve, ...] = field(default=(), repr=False)
    fitted: FittedHeads | None = field(default=None, repr=False)
    fitted_refused: str = field(default="", repr=False)

    @property
    def identity(self) -> str:
        """What makes the answers of two checkpoints differ: the hash of the file, and of the heads fitted on it."""
        return self.sha256 if self.fitted is None else f"{self.sha256}+{self.fitted.sha256}"

    @property
    def temperatures(self) -> Temperatures:
        """Head -> what its logits are divided by before the softmax; empty without a calibration."""
        return RAW if self.calibration is None else self.calibration.temperatures

    def raw(self) -> Checkpoint:
        """The same checkpoint without temperatures: all probabilities are plain softmax."""
        return replace(self, calibration=None)

    def trainable(self) -> GoogLeNet:
        """The network with these weights as trained (batch norm unfolded), float32, in training mode, on the CPU."""
        network = GoogLeNet(self.spec)
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in self.state.items()})
        return network

    def network(self) -> GoogLeNet:
        """The network ready to be asked: batch norm folded, float32, in eval mode, frozen, on the CPU."""
        state = {
            key: value.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
            for key, value in self.state.items()
            if value.is_floating_point()
        }
        return folded(self.spec, state).requires_grad_(False)

    def label(self, index: int) -> Label:
        """A class by its index; its words are `class N` where the checkpoint has no labels."""
        return self.labels[index] if index < len(self.labels) else Label(index, "", f"class {index}")

    def with_name(self, name: str) -> Checkpoint:
        """The same checkpoint under another name."""
        return replace(self, name=name)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
