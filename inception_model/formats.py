"""Weight files of every supported format -> `Checkpoint`. All of them are untrusted input.

A file goes through three steps: its container (safetensors, torch, protobuf) is read into named tensors; the first
entry of FORMATS that recognises the names says which network they belong to and what they are called here; then every
tensor's shape is compared with that network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .checkpoint import Checkpoint, CheckpointError, file_sha256
from .data import Label
from .network import GoogLeNet
from .preprocessing import Preprocessing
from .spec import SPECS, AuxSpec, BlockSpec, LRNSpec, NetworkSpec, PoolSpec, StemSpec, get_spec

NATIVE = "inceptionscope-1"


@dataclass(frozen=True)
class Raw:
    """What a container holds: tensors by the names that the file gives them, and text metadata."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)


def spec_to_json(spec: NetworkSpec) -> str:
    """Name and classes of a published variant, or the whole architecture of any other."""
    named = spec.name in SPECS and get_spec(spec.name, spec.classes) == spec
    return json.dumps({"name": spec.name, "classes": spec.classes} if named else asdict(spec))


def spec_from_json(text: str) -> NetworkSpec:
    """The inverse of `spec_to_json`."""
    values: dict[str, Any] = json.loads(text)
    if set(values) == {"name", "classes"}:
        return get_spec(values["name"], int(values["classes"]))
    stem = dict(values["stem"])
    stem["lrn"] = LRNSpec(**stem["lrn"]) if stem["lrn"] else None
    stem["conv1_padding"] = tuple(stem["conv1_padding"])
    nested = {
        "stem": StemSpec(**stem),
        "blocks": tuple(BlockSpec(**block) for block in values["blocks"]),
        "pools": tuple((after, PoolSpec(**pool)) for after, pool in values["pools"]),
        "aux": tuple(AuxSpec(**aux) for aux in values["aux"]),
    }
    return NetworkSpec(**(values | nested))


def write_native(checkpoint: Checkpoint, path: Path) -> None:
    """fp16 safetensors with everything but name and hash in the metadata; written beside and then renamed."""
    tensors = {
        key: value.detach().half().contiguous().cpu()
        for key, value in checkpoint.state.items()
        if not key.endswith("num_batches_tracked")
    }
    metadata = {
        "format": NATIVE,
        "spec": spec_to_json(checkpoint.spec),
        "preprocessing": json.dumps(asdict(checkpoint.preprocessing)),
        "labels": json.dumps([asdict(label) for label in checkpoint.labels]),
        "heads_trained": json.dumps(checkpoint.heads_trained),
        "source": checkpoint.source,
        "accuracy": json.dumps(checkpoint.accuracy),
        "card": checkpoint.card,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    save_file(tensors, part, metadata)
    part.replace(path)


def read(path: Path) -> Checkpoint:
    """A file of any known format, recognised by its content -> Checkpoint named after the file."""
    try:
        with safe_open(path, "pt") as file:
            raw = Raw({key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: can't be read as safetensors: {error}") from None
    meta = raw.metadata
    spec = spec_from_json(meta["spec"])
    with torch.device("meta"):
        expected = GoogLeNet(spec).state_dict()
    state = dict(raw.tensors)
    for key in expected:
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.tensor(0))
    return Checkpoint(
        name=path.stem,
        spec=spec,
        preprocessing=Preprocessing.from_dict(json.loads(meta["preprocessing"])),
        labels=tuple(Label(**row) for row in json.loads(meta["labels"])),
        state=state,
        heads_trained=tuple(json.loads(meta["heads_trained"])),
        source=meta["source"],
        sha256=file_sha256(path),
        card=meta.get("card", ""),
        accuracy=json.loads(meta.get("accuracy", "{}")),
    )
