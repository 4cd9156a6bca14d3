"""The curve of a training: what of a run's log becomes points, also after crashes."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from inception_model.training.curve import TrainingCurve, thinned, training_curves
from inception_model.training.run_folder import log_beside, read_log


def measured(step: int, **heads: float) -> dict[str, Any]:
    return {"step": step, "size": 64, "held_out": {head: {"top1": top1, "top5": 1.0} for head, top1 in heads.items()}}


def test_training_curves_are_the_held_out_lines_of_the_log() -> None:
    log = [{"step": 5, "size": 64, "loss": 3.0}, measured(10, aux1=0.1, main=0.2), measured(20, aux1=0.3, main=0.4)]
    assert training_curves(log) == (
        TrainingCurve("aux1", ((10, 0.1), (20, 0.3))),
        TrainingCurve("main", ((10, 0.2), (20, 0.4))),
    )
    assert training_curves(log[:1]) == training_curves([]) == ()


def test_what_was_measured_again_after_a_crash_counts_once() -> None:
    log = [measured(10, main=0.2), measured(20, main=0.3), measured(20, main=0.35), measured(30, main=0.4)]
    assert training_curves(log) == (TrainingCurve("main", ((10, 0.2), (20, 0.35), (30, 0.4))),)


def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends() -> None:
    points = [(step, step / 1000) for step in range(1000)]
    found = thinned(points, 100)
    assert (len(found), found[0], found[-1]) == (100, points[0], points[-1])
    gaps = {b[0] - a[0] for a, b in pairwise(found)}
    assert gaps == {10, 11}
    assert thinned(points[:100], 100) == points[:100]


def test_a_log_is_read_without_the_line_that_a_crash_has_cut(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert read_log(path) == []
    records = [measured(10, main=0.2), {"step": 20}]
    path.write_text("\n".join([*map(json.dumps, records), "[1]", '{"step": 3']))
    assert read_log(path) == records


def test_a_log_belongs_to_the_checkpoint_that_its_run_wrote(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("{}\n")
    assert log_beside(tmp_path / "checkpoint.safetensors") == tmp_path / "log.jsonl"
    assert log_beside(tmp_path / "other.safetensors") is None
    assert log_beside(tmp_path / "elsewhere" / "checkpoint.safetensors") is None
