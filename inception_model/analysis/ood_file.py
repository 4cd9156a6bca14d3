"""What a checkpoint's classes look like to it, in a small file beside its weights: `NAME.ood.safetensors`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints.belonging import require_made_for
from ..checkpoints.checkpoint import Checkpoint, CheckpointError
from ..checkpoints.containers import Raw, read_container
from ..checkpoints.messages import reason
from ..checkpoints.safetensors_format import write_tensors
from ..checkpoints.store import beside
from ..inference.classifier import Classifier
from .ood import (
    FALSE_ALARMS,
    SCORES,
    SHARES,
    Distance,
    Measured,
    Observations,
    ScoreName,
    best,
    fit,
    held_out_fits,
    measure,
    score,
)

FORMAT = "inceptionscope-ood-1"
SUFFIX = "ood.safetensors"
HELD_OUT = "held_out"
"""Entry of the metadata that files have whose threshold comes from held-out training images."""
COUNTS = ("training", "chosen_with", "new", "pictures")
MAX_BYTES = 4 << 20
"""Of a file that is read; what is written has less than half of it."""


@dataclass(frozen=True, eq=False)
class Known:
    """What the training classes look like to one network.

    `sha256`: of the checkpoint's file. `kept`: the score that tells best, `marks`: of all of them. `quantiles`: of the
    kept score over new photos of the classes, from the least to the most unlike; `limit`: the share of them from which
    on a photo counts as unlike. `training`, `chosen_with`, `new`, `pictures`: how many images each step used.
    `held_out`: whether held-out training images chose threshold and score, not a half of the validation images.
    """

    sha256: str
    kept: ScoreName
    distance: Distance = field(repr=False)
    quantiles: Tensor = field(repr=False)
    limit: float
    marks: Mapping[ScoreName, Measured]
    counts: Mapping[str, int]
    source: str
    held_out: bool = False

    def share_below(self, seen: Observations) -> float:
        """Of one photo: the share of new photos of the classes that are less unlike (interpolated)."""
        value = float(score(self.kept, seen, self.distance)[0])
        below = int(torch.searchsorted(self.quantiles, torch.tensor(value)))
        if below in (0, len(self.quantiles)):
            return below / len(self.quantiles)
        low, high = self.quantiles[below - 1 : below + 1].tolist()
        return float((below - 1 + (value - low) / (high - low)) / (len(self.quantiles) - 1))


def learn(
    classifier: Classifier,
    training: Observations,
    validation: Observations,
    pictures: Observations,
    source: str,
    choosing: Observations | None = None,
) -> Known:
    """Fits on the training images, keeps the score that tells best, and measures it.

    `choosing`, images that the network was not trained on, choose threshold and score; without them every other
    validation image. All other validation images, and what is drawn of `pictures`, measure them.
    """
    half = torch.arange(len(validation)) % 2 == 0
    chosen_with, new = (validation.where(half), validation.where(~half)) if choosing is None else (choosing, validation)
    distance = fit(training.features, training.labels)
    parts = held_out_fits(training)
    kept = best(parts, chosen_with, pictures, distance)
    marks = measure(parts, chosen_with, new, pictures, distance)
    quantiles = score(kept, chosen_with, distance).sort().values.quantile(torch.linspace(0, 1, SHARES))
    counts = dict(zip(COUNTS, map(len, (training, chosen_with, new, pictures)), strict=True))
    sha256 = classifier.checkpoint.sha256
    return Known(sha256, kept, distance, quantiles, 1 - FALSE_ALARMS, marks, counts, source, choosing is not None)


def known_path(name_or_path: str | Path) -> Path:
    """Where it lies: `NAME.ood.safetensors` beside the checkpoint's file, which may be named as for `load`."""
    return beside(name_or_path, SUFFIX)


def save_known(known: Known, path: Path) -> None:
    """Writes fp16 safetensors, atomically; quantiles, marks and origin go into the metadata."""
    metadata = {
        "format": FORMAT,
        "checkpoint": known.sha256,
        "kept": known.kept,
        "classes": json.dumps(known.distance.classes),
        "quantiles": json.dumps(known.quantiles.tolist()),
        "limit": json.dumps(known.limit),
        "marks": json.dumps({name: asdict(marks) for name, marks in known.marks.items()}),
        "counts": json.dumps(dict(known.counts)),
        "source": known.source,
        **({HELD_OUT: "yes"} if known.held_out else {}),
    }
    whitening = known.distance.whitening
    triangle = whitening[tuple(torch.triu_indices(*whitening.shape))]  # the other half is zero
    write_tensors({"means": known.distance.means, "whitening": triangle}, metadata, path)


def load_known(path: Path, checkpoint: Checkpoint) -> Known:
    """What is in a file, which is untrusted input and must be of this checkpoint; raises CheckpointError if not."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise CheckpointError(f"{size:,} bytes; the limit is {MAX_BYTES:,}")
        raw = read_container(path)
        if raw.metadata.get("format") != FORMAT:
            raise CheckpointError("it does not say what a network's classes look like; `ood DATA` writes such a file")
        require_made_for(checkpoint, raw.metadata.get("checkpoint", ""), "it is about", "make it anew with `ood DATA`")
        return _parsed(raw, checkpoint)
    except (CheckpointError, OSError) as error:
        raise CheckpointError(f"what {path.name} says of known classes can't be used: {error}") from error


def _parsed(raw: Raw, checkpoint: Checkpoint) -> Known:
    spec = checkpoint.spec
    try:
        classes = tuple(json.loads(raw.metadata["classes"]))
        if any(type(index) is not int or not 0 <= index < spec.classes for index in classes):
            raise ValueError(f"classes outside of the network's {spec.classes}")
        width, stored = spec.blocks[-1].out_channels, (raw.tensors["means"], raw.tensors["whitening"])
        if [each.shape for each in stored] != [(len(set(classes)), width), (width * (width + 1) // 2,)]:
            raise ValueError(f"means {stored[0].shape} and whitening {stored[1].shape} do not fit")
        means, triangle = (each.read().float() for each in stored)
        if not (torch.isfinite(means).all() and torch.isfinite(triangle).all()) or not len(means):
            raise ValueError("numbers that are not finite, or no class")
        whitening = torch.zeros(width, width)
        whitening[tuple(torch.triu_indices(width, width))] = triangle
        quantiles = torch.tensor(_numbers(json.loads(raw.metadata["quantiles"]), -math.inf, math.inf))
        if len(quantiles) != SHARES or bool((quantiles.diff() < 0).any()):
            raise ValueError("the quantiles do not rise")
        kept = next(name for name in SCORES if name == raw.metadata["kept"])
        said = json.loads(raw.metadata["marks"])
        marks = {name: Measured(*_numbers(_values(said[name]))) for name in SCORES}
        told = json.loads(raw.metadata["counts"])
        counts = {name: int(_numbers([told[name]], 0, 1 << 40)[0]) for name in COUNTS}
        (limit,) = _numbers([json.loads(raw.metadata["limit"])])
    except Exception as error:  # whatever the file's text or tensors lack is the file's fault
        raise CheckpointError(f"the file is damaged ({reason(error)}): write it anew with `ood DATA`") from error
    distance = Distance(classes, means, whitening)
    source = raw.metadata.get("source", "")[:200]
    held_out = raw.metadata.get(HELD_OUT) == "yes"
    return Known(checkpoint.sha256, kept, distance, quantiles, limit, marks, counts, source, held_out)


def _values(row: dict[str, Any]) -> list[Any]:
    return [row[name] for name in Measured.__dataclass_fields__]


def _numbers(values: list[Any], low: float = 0.0, high: float = 1.0) -> list[float]:
    """Finite numbers in a range; raises ValueError for anything else."""
    if any(type(v) not in (int, float) or not math.isfinite(v) or not low <= v <= high for v in values):
        raise ValueError(f"numbers from {low:g} to {high:g} are expected")
    return [float(value) for value in values]
