"""What of an index fits beside the weights: `NAME.examples.safetensors`, ids, positions and numbers, no pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..architecture.spec import HEADS
from ..checkpoints.belonging import require_made_for
from ..checkpoints.checkpoint import Checkpoint, CheckpointError
from ..checkpoints.containers import Raw, read_container
from ..checkpoints.messages import reason
from ..checkpoints.safetensors_format import write_tensors
from ..checkpoints.store import beside
from ..checkpoints.stored import all_finite
from .building import SHARES
from .channels import channels_of
from .folder import IndexFolderError
from .index import Index
from .mapping import DEFAULT_MAP, ImageMap
from .sample import STEPS, outputs, packed, unpacked
from .shards import KEPT, KINDS
from .strongest import NOBODY, Strongest

FORMAT = "inceptionscope-examples-1"
SUFFIX = "examples.safetensors"
MAX_BYTES = 16 << 20
"""Of a file that is read; of 10,000 images and GoogLeNet's channels it has less than half of it."""
MOST_SPLIT = 64
"""Characters of the split's name and the like."""


def compact_path(name_or_path: str | Path) -> Path:
    """Where it lies: beside the checkpoint's file, which may be named as for `load`."""
    return beside(name_or_path, SUFFIX)


def save_compact(index: Index, path: Path) -> None:
    """Writes the file, floats as fp16. A map made by UMAP stays out, which can't place a photo without all features."""
    tensors: dict[str, Tensor] = {
        "quantiles": torch.tensor(index.quantiles),
        "means": torch.tensor(index.means),
        "silent": torch.tensor(index.silent),
        "labels": torch.tensor(index.labels),
        "sizes": torch.tensor(index.sizes),
    }
    for kind, found in index.strongest.items():
        tensors[f"{kind}.images"] = torch.tensor(found.images)
        tensors[f"{kind}.values"] = torch.tensor(found.values)
        tensors[f"{kind}.rows"] = torch.tensor(found.rows)
        tensors[f"{kind}.columns"] = torch.tensor(found.columns)
    for head, classes in index.answers.items():
        tensors[f"{head}.classes"] = torch.tensor(classes)
        tensors[f"{head}.probabilities"] = torch.tensor(index.probabilities[head])
    explained: tuple[float, ...] = ()
    known = index.map
    if known is not None and known.axes is not None and known.mean is not None:
        explained = known.explained
        tensors |= {"map.points": torch.tensor(known.points), "map.mean": torch.tensor(known.mean)}
        tensors |= {"map.axes": torch.tensor(known.axes)}
        tensors["map.images"] = torch.tensor(known.images, dtype=torch.int32)
    if index.sample is not None:
        tensors["sample.images"] = torch.tensor(index.sample.images)
        tensors["sample.peaks"] = torch.tensor(packed(index.sample, index.quantiles[:, -1]))
    largest = max(float(each.abs().max()) for each in tensors.values() if each.is_floating_point() and each.numel())
    if largest > torch.finfo(torch.float16).max:
        raise IndexFolderError(f"activations up to {largest:.3g} exceed fp16: this index has no compact form")
    told = {"data": index.data, "split": index.split, "limit": index.limit, "used": index.used, "map": explained}
    metadata = {
        "format": FORMAT, "checkpoint": index.sha256, "source": index.source, "told": json.dumps(told),
        "shares": json.dumps(SHARES),
    }  # fmt: skip
    write_tensors({name: each.contiguous() for name, each in tensors.items()}, metadata, path)


def load_compact(path: Path, checkpoint: Checkpoint) -> Index:
    """What is in a file, which is untrusted input and must be of this checkpoint; raises CheckpointError if not."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise CheckpointError(f"{size:,} bytes; the limit is {MAX_BYTES:,}")
        raw = read_container(path)
        if raw.metadata.get("format") != FORMAT:
            raise CheckpointError("it is no index; `index DATA --out FOLDER --compact FILE` writes one")
        require_made_for(
            checkpoint, raw.metadata.get("checkpoint", ""), "it is about", "make it anew with `index DATA`"
        )
        return _parsed(raw, checkpoint)
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"the examples in {path.name} can't be used: {error}") from error


def _parsed(raw: Raw, checkpoint: Checkpoint) -> Index:
    try:
        told = json.loads(raw.metadata["told"])
        if tuple(json.loads(raw.metadata["shares"])) != SHARES:
            raise ValueError("its quantiles are others")
        reader = _Reader(raw)
        units, total = channels_of(checkpoint.spec).total, int(raw.tensors["labels"].shape[0])
        sizes = reader.whole("sizes", (total, 2), 0, 1 << 20)
        strongest = {}
        for kind in KINDS:
            shape = KEPT, units
            strongest[kind] = Strongest(
                reader.whole(f"{kind}.images", shape, NOBODY, total - 1),
                reader.floats(f"{kind}.values", shape),
                reader.whole(f"{kind}.rows", shape, 0, 1 << 14).astype(np.int16),
                reader.whole(f"{kind}.columns", shape, 0, 1 << 14).astype(np.int16),
            )
            named = strongest[kind].images
            if (sizes[named[named != NOBODY]] < 1).any():
                raise ValueError("it names an image without a size")
        quantiles = reader.floats("quantiles", (units, len(SHARES)))
        if (np.diff(quantiles, axis=1) < 0).any():
            raise ValueError("the quantiles do not rise")
        heads = [head for head in HEADS if f"{head}.classes" in raw.tensors and head in checkpoint.spec.heads]
        classes = checkpoint.spec.classes
        split, limit, used, data = told["split"], told["limit"], told["used"], told["data"]
        if type(used) is not int or not 0 < used <= total or not (limit is None or type(limit) is int):
            raise ValueError("the number of images is wrong")
        if any(not isinstance(text, str) or len(text) > MOST_SPLIT for text in (split, data)):
            raise ValueError("what it says of its data is no text, or too long")
        sample = None
        if "sample.peaks" in raw.tensors:
            shape = int(raw.tensors["sample.images"].shape[0]), sum(map(len, outputs(checkpoint.spec).values()))
            images = reader.whole("sample.images", shape[:1], 0, total - 1)
            parts = reader.whole("sample.peaks", shape, 0, STEPS).astype(np.uint8)
            sample = unpacked(checkpoint.spec, images, parts, quantiles[:, -1])
        return Index(
            checkpoint.sha256, checkpoint.spec, checkpoint.preprocessing, data,
            raw.metadata.get("source", "")[:200], split, limit, used, quantiles,
            reader.floats("means", (units,)), reader.floats("silent", (units,)), strongest,
            reader.whole("labels", (total,), 0, classes - 1), sizes,
            {head: reader.whole(f"{head}.classes", (total,), -1, classes - 1) for head in heads},
            {head: reader.floats(f"{head}.probabilities", (total,)) for head in heads},
            _map(raw, reader, checkpoint, total, told["map"]), sample,
        )  # fmt: skip
    except CheckpointError:
        raise
    except Exception as error:  # whatever the file's text or tensors lack is the file's fault
        raise CheckpointError(f"the file is damaged ({reason(error)}): write it anew with `index DATA`") from error


def _map(raw: Raw, reader: _Reader, checkpoint: Checkpoint, total: int, explained: Any) -> ImageMap | None:
    if "map.points" not in raw.tensors:
        return None
    count, width = int(raw.tensors["map.points"].shape[0]), checkpoint.spec.blocks[-1].out_channels
    images = reader.whole("map.images", (count,), 0, total - 1)
    first, second = (float(share) for share in explained)
    return ImageMap(
        DEFAULT_MAP, images, reader.floats("map.points", (count, 2)), reader.floats("map.mean", (width,)),
        reader.floats("map.axes", (2, width)), (first, second),
    )  # fmt: skip


class _Reader:
    """Tensors of an untrusted file, each of the shape and the range that it must have."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def floats(self, name: str, shape: tuple[int, ...]) -> Any:
        """Finite numbers as float32."""
        values = self._read(name, shape)
        if not all_finite(values):
            raise ValueError(f"{name} holds numbers that are not finite")
        return values.float().numpy()

    def whole(self, name: str, shape: tuple[int, ...], low: int, high: int) -> Any:
        """Whole numbers in a range, as int32."""
        values = self._read(name, shape)
        if values.is_floating_point() or (values.numel() and not low <= int(values.min()) <= int(values.max()) <= high):
            raise ValueError(f"{name} holds numbers outside {low} to {high}")
        return values.to(torch.int32).numpy()

    def _read(self, name: str, shape: tuple[int, ...]) -> Tensor:
        stored = self.raw.tensors[name]
        if stored.shape != shape:
            raise ValueError(f"{name} has shape {stored.shape} instead of {shape}")
        return stored.read()
