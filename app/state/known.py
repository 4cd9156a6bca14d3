"""What the chosen checkpoint knows of its own limits, from the files beside it: its classes' looks, its confusions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app.state import network, shelf
from app.state.panel import Panel
from inception_model.analysis.confusions import Confusions, confusions_path, load_confusions
from inception_model.analysis.doubt import Doubt, doubt_of
from inception_model.analysis.ood_file import Known, known_path, load_known
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError

T = TypeVar("T")


def read_beside(path: Path, load: Callable[[Path, Checkpoint], T], checkpoint: Checkpoint) -> T | None:
    """The content of a file beside a checkpoint, read again when it has changed; None where there is none."""
    if not path.is_file():
        return None
    stat = path.stat()
    key = (str(path), stat.st_mtime_ns, stat.st_size, checkpoint.sha256)
    return shelf.ANSWERS.get(key, lambda: load(path, checkpoint))


def known() -> Known | None:
    """What the classes look like; None where no file lies beside the checkpoint. Raises CheckpointError for a wrong
    one, also for other weights."""
    return read_beside(known_path(network.settings()[0]), load_known, network.checkpoint())


def confusions() -> Confusions | None:
    """Which classes are taken for which; None and CheckpointError as for `known`."""
    return read_beside(confusions_path(network.settings()[0]), load_confusions, network.checkpoint())


def usable() -> Known | None:
    """As `known`, None for a wrong file too: the page Model says what is wrong with it."""
    try:
        return known()
    except CheckpointError:
        return None


def doubt(panel: Panel) -> Doubt | None:
    """What speaks against the answer about a panel's photo."""
    return doubt_of(network.classifier(), panel.trace(), usable())
