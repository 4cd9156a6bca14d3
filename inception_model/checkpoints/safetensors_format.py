"""This project's own file: fp16 safetensors whose metadata carry spec, preprocessing, labels, provenance and card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..architecture.labels import Label
from ..architecture.spec import NetworkSpec
from ..architecture.variants import SPECS, get_spec
from .checkpoint import Checkpoint, CheckpointError
from .containers import read_container
from .measured import calibration_to_json, curve_to_json

FORMAT = "inceptionscope-1"
CALIBRATION, CURVE = "calibration", "curve"
"""Entries of the metadata that only some files have."""


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Everything but name and hash, which belong to whoever loads the file; written beside `path`, then renamed."""
    tensors = {key: value for key, value in checkpoint.state.items() if not key.endswith("num_batches_tracked")}
    metadata = {
        "format": FORMAT,
        "spec": spec_to_json(checkpoint.spec),
        "preprocessing": json.dumps(asdict(checkpoint.preprocessing)),
        "labels": labels_to_json(checkpoint.labels),
        "heads_trained": json.dumps(checkpoint.heads_trained),
        "source": checkpoint.source,
        "accuracy": json.dumps(checkpoint.accuracy),
        "card": checkpoint.card,
    }
    if checkpoint.calibration is not None:
        metadata[CALIBRATION] = calibration_to_json(checkpoint.calibration)
    if checkpoint.curve:
        metadata[CURVE] = curve_to_json(checkpoint.curve)
    write_tensors(tensors, metadata, path)


def write_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], path: Path) -> None:
    """Tensors as safetensors, floats in fp16, with text metadata; written beside `path`, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    plain = {
        key: (value.detach().half() if value.is_floating_point() else value).contiguous().cpu()
        for key, value in tensors.items()
    }
    save_file(plain, part, dict(metadata))
    part.chmod(0o644)  # safetensors writes files that only their owner can read
    part.replace(path)


def holds(path: Path, state: Mapping[str, Tensor]) -> bool:
    """Whether a file's tensors are those that `write_tensors` makes of these floats, to the bit."""
    try:
        stored = read_container(path).tensors
        kept = {key: value.detach().half().cpu() for key, value in state.items() if value.is_floating_point()}
        return stored.keys() == kept.keys() and all(torch.equal(stored[key].read(), kept[key]) for key in kept)
    except (CheckpointError, OSError):
        return False


def labels_to_json(labels: tuple[Label, ...]) -> str:
    """The classes in index order."""
    return json.dumps([asdict(label) for label in labels])


def spec_to_json(spec: NetworkSpec) -> str:
    """Name and classes of a published variant, or the whole architecture of any other."""
    named = spec.name in SPECS and get_spec(spec.name, spec.classes) == spec
    return json.dumps({"name": spec.name, "classes": spec.classes} if named else asdict(spec))
