"""Heads that were fitted on a frozen trunk, in a file beside its weights: `NAME.heads.safetensors`."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..architecture.network import GoogLeNet
from ..architecture.spec import HEADS, HeadName
from ..training.evaluation import HeadAccuracy
from ..training.fitted import FitSettings, FittedHeads
from . import plain_json
from .belonging import require_made_for
from .checkpoint import Checkpoint, CheckpointError, file_sha256
from .containers import Raw, read_container
from .fitting import NUMBERS
from .limits import MAX_BESIDE, MAX_CLASSES, MAX_IMAGES
from .messages import first_few, shown
from .metadata import read_shares, read_source
from .rewriting import require_writable
from .safetensors_format import write_tensors
from .stored import all_finite

FORMAT = "inceptionscope-heads-1"
SUFFIX = "heads.safetensors"
AGAIN = "fit them anew with `inceptionscope fit-heads`, or remove the file"


def fittable(checkpoint: Checkpoint) -> tuple[HeadName, ...]:
    """Auxiliary heads that the network has and that nobody trained with it."""
    return tuple(aux.name for aux in checkpoint.spec.aux if aux.name not in checkpoint.heads_trained)


def save_fitted_heads(found: FittedHeads, path: Path) -> None:
    """Writes fp16 safetensors, whole or not at all: what lay there before stays until then."""
    require_writable(path)
    told = _told(found)
    metadata = {
        "format": FORMAT,
        "checkpoint": found.checkpoint,
        **{name: json.dumps(told[name]) for name in ("accuracy", "images", "settings")},
        "source": found.source,
    }
    if found.earlier:
        metadata["earlier"] = json.dumps([_told(fit) for fit in found.earlier])
    state = {key: value for fit in found.fits for key, value in fit.state.items()}
    write_tensors({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, metadata, path)


def _told(fit: FittedHeads) -> dict[str, Any]:
    return {
        "accuracy": {head: asdict(right) for head, right in fit.accuracy.items()},
        "images": [fit.training, fit.held_out, fit.classes],
        "settings": asdict(fit.settings),
        "source": fit.source,
    }


def with_former(found: FittedHeads, path: Path, checkpoint: Checkpoint) -> FittedHeads:
    """The heads with those others that a usable file of this checkpoint holds already: fitting one of two doesn't cost
    the other."""
    try:
        return found.with_others(load_fitted_heads(path, checkpoint))
    except CheckpointError:
        return found


def load_fitted_heads(path: Path, checkpoint: Checkpoint) -> FittedHeads:
    """The heads in a file, which is untrusted input and must be of this checkpoint; raises CheckpointError if not."""
    try:
        raw = read_container(path)
        if raw.metadata.get("format") != FORMAT:
            raise CheckpointError("it is no file of heads; `inceptionscope fit-heads` writes one")
        require_made_for(checkpoint, raw.metadata.get("checkpoint", ""), "they were fitted on", AGAIN)
        try:
            return replace(_parsed(raw, checkpoint), sha256=file_sha256(path))
        except CheckpointError as error:
            raise CheckpointError(f"the file is damaged ({error}): {AGAIN}") from error
    except (CheckpointError, OSError) as error:
        said = error.strerror or "it can't be read" if isinstance(error, OSError) else error
        raise CheckpointError(f"the fitted heads in {path.name} can't be used: {said}") from error


def with_fitted_heads(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """The checkpoint whose untrained heads are those of the file, where there is one; nothing of the trunk changes."""
    if not path.is_file():
        return checkpoint
    try:
        found = load_fitted_heads(path, checkpoint)
    except CheckpointError as error:
        return replace(checkpoint, fitted_refused=str(error))
    trained = {*checkpoint.heads_trained, *found.heads}
    return replace(
        checkpoint,
        state={**checkpoint.state, **{key: value for fit in found.fits for key, value in fit.state.items()}},
        heads_trained=tuple(head for head in checkpoint.spec.heads if head in trained),
        card=f"{checkpoint.card}\n\n## Heads fitted afterwards\n{found.words}\n".lstrip(),
        fitted=found,
    )


def _parsed(raw: Raw, checkpoint: Checkpoint) -> FittedHeads:
    told = {name: _text(raw, name) for name in ("accuracy", "images", "settings")}
    fits = [_fit({**told, "source": read_source(raw.metadata)}, checkpoint)]
    if "earlier" in raw.metadata:
        for row in plain_json.items(_text(raw, "earlier"), "its earlier fits", len(HEADS)):
            fits.append(_fit(plain_json.fields(row, "an earlier fit", (*told, "source")), checkpoint))
    heads = [head for fit in fits for head in fit.accuracy]
    if len(set(heads)) < len(heads):
        raise CheckpointError("two of its fits are of one head")
    state = _state(raw, checkpoint, tuple(heads))
    own, *earlier = (
        replace(fit, state={key: value for key, value in state.items() if key.split(".")[0] in fit.accuracy})
        for fit in fits
    )
    return replace(own, earlier=tuple(earlier))


def _fit(told: dict[str, Any], checkpoint: Checkpoint) -> FittedHeads:
    """What is said of one fit, without its tensors."""
    allowed = fittable(checkpoint)
    rows = plain_json.entries(told["accuracy"], "its accuracy", len(HEADS))
    if not rows or not set(rows) <= set(allowed):
        raise CheckpointError(
            f"it has other heads than {' and '.join(allowed)}" if allowed else "all heads of the network came trained"
        )
    heads = tuple(head for head in allowed if head in rows)
    accuracy = {head: HeadAccuracy(**read_shares(rows[head], head)) for head in heads}
    counts = plain_json.items(told["images"], "its numbers of images", 3)
    if len(counts) != 3:
        raise CheckpointError(f"it has {len(counts)} numbers of images and classes, where three are expected")
    training, held_out = (plain_json.whole(count, "a number of images", 0, MAX_IMAGES) for count in counts[:2])
    classes = plain_json.whole(counts[2], "a number of classes", 0, MAX_CLASSES)
    settings = _settings(told["settings"])
    source = read_source(told)
    return FittedHeads(checkpoint.sha256, accuracy, training, held_out, classes, settings, source, {})


def _state(raw: Raw, checkpoint: Checkpoint, heads: tuple[HeadName, ...]) -> dict[str, Tensor]:
    """The tensors of these heads and no others; all are looked at before the first one is read."""
    with torch.device("meta"):
        expected = GoogLeNet(checkpoint.spec).state_dict()
    wanted = {key: tuple(value.shape) for key, value in expected.items() if key.split(".")[0] in heads}
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}  # they play no part in any result
    for key, shape in wanted.items():
        found = raw.tensors.get(key)
        if key not in counters and (found is None or found.shape != shape or found.dtype not in NUMBERS):
            what = "is missing" if found is None else f"has {found.shape}, where numbers of {shape} are expected"
            raise CheckpointError(f"{key} {what}")
    if strange := [shown(key) for key in raw.tensors if key not in wanted]:
        raise CheckpointError(f"{len(strange)} tensors are unknown: {first_few(strange)}")
    return {key: torch.tensor(0) if key in counters else _finite(raw, key) for key in wanted}


def _finite(raw: Raw, key: str) -> Tensor:
    tensor = raw.tensors[key].read()
    if not all_finite(tensor):
        raise CheckpointError(f"{key} holds numbers that are not finite")
    if key.endswith("running_var") and bool((tensor < 0).any()):
        raise CheckpointError(f"{key} holds negative variances")
    return tensor


def _settings(value: Any) -> FitSettings:
    found = plain_json.fields(value, "its settings", ("epochs", "batch", "lr", "seed"))
    return FitSettings(
        epochs=plain_json.number(found["epochs"], "its number of epochs", 0, 1e6),
        batch=plain_json.whole(found["batch"], "its batch", 1, 1 << 30),
        lr=plain_json.number(found["lr"], "its learning rate", 0, 1e6),
        seed=plain_json.whole(found["seed"], "its seed", 0, 1 << 62),
    )


def _text(raw: Raw, key: str) -> Any:
    if key not in raw.metadata:
        raise CheckpointError(f"the metadata lack {key!r}")
    return plain_json.parse(raw.metadata[key], MAX_BESIDE, f"the metadata's {key!r}")
