"""A trained Network in Network as a file: fp16 safetensors with spec, preprocessing, labels and accuracy.

The app's pages, and `load`, know networks of Inception modules only: this is for programs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from ..architecture.labels import Label
from ..architecture.nin import LARGEST_KERNEL, NIN, Ending, MlpConv, NetworkInNetwork, NinSpec
from ..images.preprocessing import Preprocessing
from . import plain_json
from .checkpoint import CheckpointError
from .containers import read_container
from .limits import MAX_BESIDE
from .metadata import read_accuracy, read_labels, read_preprocessing, read_source
from .safetensors_format import labels_to_json, write_tensors
from .stored import all_finite

FORMAT = "inceptionscope-nin-1"
MOST = 4096
"""Channels, classes, pixels a side and layers that a file may name at most."""


@dataclass(frozen=True)
class TrainedNin:
    """A network in eval mode with what it takes to ask it. `accuracy`: head -> top1, top5 as shares."""

    network: NetworkInNetwork
    preprocessing: Preprocessing
    labels: tuple[Label, ...]
    accuracy: Mapping[str, Any]
    source: str


def save_nin(trained: TrainedNin, path: Path) -> None:
    """Writes the file, as a whole or not at all."""
    metadata = {
        "format": FORMAT,
        "network": json.dumps(asdict(trained.network.spec)),
        "preprocessing": json.dumps(asdict(trained.preprocessing)),
        "labels": labels_to_json(trained.labels),
        "accuracy": json.dumps(trained.accuracy),
        "source": trained.source,
    }
    write_tensors(_floats(trained.network.state_dict()), metadata, path)


def load_nin(path: Path) -> TrainedNin:
    """The network in a file; raises CheckpointError where it is none that `train --spec nin` has written."""
    raw = read_container(path)
    if raw.metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path.name} is no Network in Network; `train --spec {NIN}` writes one")
    network = NetworkInNetwork(_spec(raw.metadata.get("network", ""))).eval()
    state = {}
    for name, tensor in _floats(network.state_dict()).items():
        stored = raw.tensors.get(name)
        if stored is None or stored.shape != tuple(tensor.shape):
            found = "is missing" if stored is None else f"has {stored.shape}"
            raise CheckpointError(f"{name} in {path.name} {found}, where {tuple(tensor.shape)} is expected")
        state[name] = stored.read().float()
        if not all_finite(state[name]):
            raise CheckpointError(f"{name} in {path.name} holds numbers that are not finite")
    network.load_state_dict(state, strict=False)  # nothing but the counts of batches is left out
    metadata = raw.metadata
    return TrainedNin(
        network, read_preprocessing(metadata), read_labels(metadata), read_accuracy(metadata), read_source(metadata)
    )


def _floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


def _spec(text: str) -> NinSpec:
    what = "the network's description"
    names = ("name", "classes", "layers", "size", "ending", "batch_norm", "dropout")
    told = plain_json.fields(plain_json.parse(text, MAX_BESIDE, what), what, names)
    layers = []
    for layer in plain_json.items(told["layers"], "its layers", 16):
        row = plain_json.fields(layer, "a layer", ("kernel", "widths", "stride"))
        widths = plain_json.items(row["widths"], "a layer's widths", 16)
        layers.append(
            MlpConv(
                plain_json.whole(row["kernel"], "a kernel", 1, LARGEST_KERNEL),
                tuple(plain_json.whole(width, "a width", 1, MOST) for width in widths),
                plain_json.whole(row["stride"], "a stride", 1, 64),
            )
        )
    eps = told["batch_norm"]
    endings: tuple[Ending, ...] = get_args(Ending)
    ending = plain_json.choice(told["ending"], "its ending", endings)
    return NinSpec(
        plain_json.words(told["name"], "its name", 100),
        plain_json.whole(told["classes"], "its number of classes", 1, MOST),
        tuple(layers),
        plain_json.whole(told["size"], "its size", 1, MOST),
        next(known for known in endings if known == ending),
        None if eps is None else plain_json.number(eps, "its batch norm", 0, 1),
        plain_json.number(told["dropout"], "its dropout", 0, 1),
    )
