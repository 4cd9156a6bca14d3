"""This project's own file: fp16 safetensors whose metadata carry spec, preprocessing, labels, provenance and card."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..architecture.labels import Label
from ..architecture.network import GoogLeNet
from ..architecture.spec import HEADS, AuxSpec, BlockSpec, HeadName, LRNSpec, NetworkSpec, PoolSpec, StemSpec
from ..architecture.variants import SPECS, get_spec
from ..images.preprocessing import Preprocessing
from .checkpoint import Checkpoint, CheckpointError

FORMAT = "inceptionscope-1"
MAX_CLASSES = 32_768
MAX_SIDE = 2048

T = TypeVar("T")
Metadata = Mapping[str, str]


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Everything but name and hash, which belong to whoever loads the file; written beside `path`, then renamed."""
    tensors = {key: value for key, value in checkpoint.state.items() if not key.endswith("num_batches_tracked")}
    metadata = {
        "format": FORMAT,
        "spec": spec_to_json(checkpoint.spec),
        "preprocessing": json.dumps(asdict(checkpoint.preprocessing)),
        "labels": json.dumps([asdict(label) for label in checkpoint.labels]),
        "heads_trained": json.dumps(checkpoint.heads_trained),
        "source": checkpoint.source,
        "accuracy": json.dumps(checkpoint.accuracy),
        "card": checkpoint.card,
    }
    write_tensors(tensors, metadata, path)


def write_tensors(tensors: Mapping[str, Tensor], metadata: Metadata, path: Path) -> None:
    """Tensors as fp16 safetensors with text metadata; written beside `path`, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    halves = {key: value.detach().half().contiguous().cpu() for key, value in tensors.items()}
    save_file(halves, part, dict(metadata))
    part.chmod(0o644)  # safetensors writes files that only their owner can read
    part.replace(path)


def spec_to_json(spec: NetworkSpec) -> str:
    """Name and classes of a published variant, or the whole architecture of any other."""
    named = spec.name in SPECS and get_spec(spec.name, spec.classes) == spec
    return json.dumps({"name": spec.name, "classes": spec.classes} if named else asdict(spec))


def spec_from_json(text: str) -> NetworkSpec:
    """The inverse of `spec_to_json`; a spec whose layers don't fit one another raises an error."""
    values: dict[str, Any] = json.loads(text)
    if not 1 <= int(values["classes"]) <= MAX_CLASSES:
        raise ValueError(f"{values['classes']} classes; allowed: 1 to {MAX_CLASSES}")
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
    spec = NetworkSpec(**(values | nested))
    if not set(spec.heads) <= set(HEADS):
        raise ValueError(f"heads {', '.join(spec.heads)}; allowed: {', '.join(HEADS)}")
    with torch.device("meta"):  # shapes only: costs no memory, however large the spec says it is
        GoogLeNet(spec).eval().forward_heads(torch.empty(1, 3, 224, 224))
    return spec


def read_spec(metadata: Metadata) -> NetworkSpec:
    """The architecture that the metadata name or spell out."""
    return _parsed(metadata, "spec", spec_from_json)


def read_preprocessing(metadata: Metadata) -> Preprocessing:
    """How a photo becomes this network's input."""
    return _parsed(metadata, "preprocessing", _preprocessing)


def read_labels(metadata: Metadata) -> tuple[Label, ...]:
    """The classes in index order."""
    return _parsed(metadata, "labels", _labels)


def read_heads_trained(metadata: Metadata) -> tuple[HeadName, ...]:
    """Heads whose logits are predictions."""
    return _parsed(metadata, "heads_trained", _heads)


def read_accuracy(metadata: Metadata) -> dict[str, Any]:
    """Accuracy per head as the training measured it."""
    return _parsed(metadata, "accuracy", _accuracy)


def _parsed(metadata: Metadata, key: str, parse: Callable[[str], T]) -> T:
    """Metadata are as little to be trusted as weights: whatever is wrong becomes a CheckpointError."""
    if key not in metadata:
        raise CheckpointError(
            f"the metadata lack {key!r} (found: {', '.join(sorted(metadata))}); save it with `checkpoint.save`"
        )
    try:
        return parse(metadata[key])
    except Exception as error:
        raise CheckpointError(f"the metadata's {key!r} is wrong: {error or type(error).__name__}") from error


def _preprocessing(text: str) -> Preprocessing:
    result = Preprocessing.from_dict(json.loads(text))
    sides = (result.size, result.resize)
    if any(type(side) is not int or not 1 <= side <= MAX_SIDE for side in sides) or result.size > result.resize:
        raise ValueError(f"size {result.size}, resize {result.resize} pixels")
    numbers = (*result.mean, *result.std, result.scale)
    if len(numbers) != 7 or not all(math.isfinite(n) for n in numbers) or 0 in (*result.std, result.scale):
        raise ValueError(f"scale {result.scale}, mean {result.mean}, std {result.std}")
    if result.interpolation not in ("bilinear", "bicubic") or result.channels not in ("RGB", "BGR"):
        raise ValueError(f"interpolation {result.interpolation!r}, channels {result.channels!r}")
    return result


def _labels(text: str) -> tuple[Label, ...]:
    labels = tuple(Label(int(row["index"]), str(row["wnid"]), str(row["words"])) for row in json.loads(text))
    if [label.index for label in labels] != list(range(len(labels))):
        raise ValueError("the labels' indices don't count from 0")
    return labels


def _accuracy(text: str) -> dict[str, Any]:
    """Head -> top1 and top5, shares from 0 to 1."""
    found = json.loads(text)
    if not isinstance(found, dict) or not set(found) <= set(HEADS):
        raise ValueError(f"accuracies of {', '.join(HEADS)} are expected; found {str(found)[:60]}")
    for head, row in found.items():
        shares = [row.get("top1"), row.get("top5")] if isinstance(row, dict) else [None]
        if not all(isinstance(share, int | float) and 0 <= share <= 1 for share in shares):
            raise ValueError(f"{head} needs top1 and top5 as shares from 0 to 1; found {str(row)[:60]}")
    return found


def _heads(text: str) -> tuple[HeadName, ...]:
    named = set(json.loads(text))
    if not named <= set(HEADS):
        raise ValueError(f"{sorted(named)}; allowed: {', '.join(HEADS)}")
    return tuple(head for head in HEADS if head in named)
