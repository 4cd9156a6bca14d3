"""How the chosen checkpoint was trained: the curve in its file, else in the log of the run that wrote it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from app.state import network
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.measured import curve_from, curve_to_json
from inception_model.training.curve import TrainingCurve, training_curves
from inception_model.training.run_folder import log_beside, read_log


def curves() -> tuple[TrainingCurve, ...]:
    """A curve per head; none where neither the file nor a log beside it has one."""
    if known := network.checkpoint().curve:
        return known
    log = log_beside(Path(network.settings()[0]).expanduser())
    if log is None:
        return ()
    stat = log.stat()
    return _of_log(str(log), (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=3)  # of 500 points a head at most
def _of_log(path: str, stamp: tuple[int, int]) -> tuple[TrainingCurve, ...]:
    try:
        # Read as what a checkpoint's file says is read: numbers that can't be are no curve.
        return curve_from(curve_to_json(training_curves(read_log(Path(path)))))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, CheckpointError):
        return ()
