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

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUNDLED = "tiny-imagenet"
"""The checkpoint that comes with the project: `load` reads it from `assets/checkpoints`."""


class CheckpointError(ValueError):
    """A checkpoint can't be used; the message says what was found, what is expected and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to ask a trained network. `state` is keyed as `GoogLeNet(spec).state_dict()`.

    `heads_trained`: heads whose logits are predictions; others exist but were never trained (torchvision's aux).
    `source`: where the weights come from, in words. `sha256`: of the file. `accuracy`: head -> top1, top5 as shares.
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

    def trainable(self) -> GoogLeNet:
        """The network with these weights as trained (batch norm unfolded), float32, in training mode, on the CPU."""
        network = GoogLeNet(self.spec)
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in self.state.items()})
        return network

    def network(self) -> GoogLeNet:
        """The network ready to be asked: batch norm folded, float32, in eval mode, frozen, on the CPU."""
        return fold_batch_norm(self.trainable().eval()).requires_grad_(False)

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


def save(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Writes a checkpoint as fp16 safetensors (atomically) and returns it as read back, with the file's hash.

    Its name and hash are not stored: the one belongs to whoever loads it, the other to the file.
    """
    from .formats import read
    from .native import write

    write(checkpoint, path)
    return read(path).with_name(checkpoint.name)


def load(name_or_path: str | Path) -> Checkpoint:
    """A checkpoint by its name (see `download.PUBLISHED`; `tiny-imagenet` is bundled) or from a file of any format.

    Raises CheckpointError where there is none, or where the file is not what its format promises.
    """
    # The readers and the registry build on this module's nouns, so they are imported when first needed.
    from .download import PUBLISHED, fetched
    from .formats import read

    name = str(name_or_path)
    if name == BUNDLED:
        return _bundled()
    if name in PUBLISHED:
        return PUBLISHED[name].describe(read(fetched(PUBLISHED[name])))
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        known = ", ".join((BUNDLED, *PUBLISHED))
        raise CheckpointError(f"no checkpoint {name!r}: it is neither a file nor one of the known names ({known})")
    return read(path)


def _bundled() -> Checkpoint:
    """The checkpoint in `assets`, with the card that lies beside it."""
    from .formats import read

    folder = ASSETS / "checkpoints"
    found = read(folder / f"{BUNDLED}.safetensors")
    card = folder / f"{BUNDLED}.md"
    return replace(found, name=BUNDLED, card=card.read_text(encoding="utf-8") if card.is_file() else found.card)
