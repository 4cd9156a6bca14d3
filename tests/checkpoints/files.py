"""Small files of this project's own kind and of torch's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from inception_model.architecture.labels import Label
from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.variants import tiny
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.images.preprocessing import Preprocessing


def tiny_checkpoint(**changes: Any) -> Checkpoint:
    """A small checkpoint of this project's own kind."""
    spec = tiny(5, batch_norm=1e-4)
    state = init_weights(GoogLeNet(spec), seed=1).state_dict()
    labels = tuple(Label(i, f"n{i:08d}", f"thing {i}, Res {i}") for i in range(5))
    accuracy = {"main": {"top1": 0.5, "top5": 0.75}}
    made = Checkpoint(
        "t", spec, Preprocessing(resize=240), labels, state, spec.heads, "made up", "", "# Card", accuracy
    )
    return replace(made, **changes)


def saved(path: Path, content: object) -> Path:
    """The file, written by torch."""
    torch.save(content, path)
    return path
