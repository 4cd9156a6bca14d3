"""What a run is known by: it goes on from its own state, and from that of no other run."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict

from ..architecture.labels import Label
from .data import LabelledImages
from .fingerprint import fingerprint
from .recipe import TrainingConfig, same_run

NO_START = "none"
"""What a run starts from that starts from no checkpoint."""
_ADDED = ("start", "classes", "data")
"""What files of earlier versions don't say, which go on with whatever is asked for now."""


def identity(
    config: TrainingConfig, spec: str, images: LabelledImages, start: str = NO_START, classes: Sequence[Label] = ()
) -> str:
    """As JSON: all settings, the network, the file that the weights come from (its SHA-256) and what is learned."""
    ids = "\0".join(label.wnid for label in classes)
    origin = {"start": start, "classes": zlib.crc32(ids.encode()), "data": fingerprint(images)}
    return json.dumps({**asdict(config), "spec": spec, "images": len(images), **origin})


def same_identity(former: str, now: str) -> bool:
    """Whether the run that is there goes on with what is asked for now."""
    settings = json.loads(now)
    defaults = json.loads(json.dumps(asdict(TrainingConfig())))
    return same_run(json.loads(former), settings, {**defaults, **{name: settings[name] for name in _ADDED}})
