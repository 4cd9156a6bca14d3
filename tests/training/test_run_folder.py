"""Runs that end too early: killed, told to stop, diverged or out of disk, and how they go on from their folder."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest
import torch

from inception_model.training.recipe import Stage
from inception_model.training.run_folder import LAST, TrainingError
from inception_model.training.trainer import StoppedError
from tests.processes import exit_code
from tests.training.runs import config, trainer_for


def run_to_the_end(parquet: Path, out: Path, kill_at: int | None) -> None:
    """Goes on from what lies there; killed after it has saved that step."""
    settings = config(stages=(Stage(32, 1.0), Stage(32, 0.5, tune=True)), trivial_augment=True, erasing=0.5)
    trainer = trainer_for(parquet, out, settings, save_seconds=0.0)
    trainer.resume()
    save = trainer._save

    def save_and_die() -> None:
        save()
        if trainer.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    trainer._save = save_and_die  # type: ignore[method-assign]
    torch.save(trainer.run().state_dict(), out / "end.pt")


def test_a_run_that_is_killed_twice_ends_as_one_that_was_never_interrupted(parquet: Path, tmp_path: Path) -> None:
    """Killed in the middle of the first stage, and in the stage that tunes: equal to the last bit."""
    assert exit_code(run_to_the_end, parquet, tmp_path / "through", None) == 0
    for kill_at in (3, 8):
        assert exit_code(run_to_the_end, parquet, tmp_path / "killed", kill_at) == -signal.SIGKILL
    assert exit_code(run_to_the_end, parquet, tmp_path / "killed", None) == 0
    ends = [torch.load(tmp_path / name / "end.pt", weights_only=True) for name in ("through", "killed")]
    last = [torch.load(tmp_path / name / LAST, weights_only=True) for name in ("through", "killed")]
    for name, value in ends[0].items():
        assert torch.equal(ends[1][name], value), name
    for name, value in last[0]["network"].items():
        assert torch.equal(last[1]["network"][name], value), name
    for key, slot in last[0]["optimizer"]["state"].items():
        assert torch.equal(last[1]["optimizer"]["state"][key]["momentum_buffer"], slot["momentum_buffer"])


def test_a_run_that_is_told_to_stop_saves_and_goes_on(parquet: Path, tmp_path: Path) -> None:
    asked: list[int] = []
    trainer = trainer_for(parquet, tmp_path, config(), stop=lambda: len(asked) >= 2 or asked.append(1) is not None)
    with pytest.raises(StoppedError, match="stopped at step 3 of"):
        trainer.run()
    again = trainer_for(parquet, tmp_path, config())
    again.resume()
    assert again.step == 3


def test_a_folder_of_another_run_or_a_damaged_one_is_refused(parquet: Path, tmp_path: Path) -> None:
    trainer = trainer_for(parquet, tmp_path, config(stages=(Stage(64, 0.2),)))
    trainer.run()
    other = trainer_for(parquet, tmp_path, config(lr=0.5))
    with pytest.raises(TrainingError, match="other settings"):
        other.resume()
    (tmp_path / LAST).write_bytes(b"PK nothing")
    with pytest.raises(TrainingError, match="can't be read"):
        trainer.resume()


def test_a_rate_that_diverges_ends_the_run_and_keeps_the_last_good_state(parquet: Path, tmp_path: Path) -> None:
    trainer = trainer_for(parquet, tmp_path, config(stages=(Stage(64, 0.2),)))
    trainer.run()
    good = (tmp_path / LAST).read_bytes()
    with torch.no_grad():
        trainer.network.classifier.bias.fill_(float("nan"))
    trainer.step = 0
    with pytest.raises(TrainingError, match=r"loss became nan.*smaller --lr.*last\.pt holds the last good state"):
        trainer.run()
    assert (tmp_path / LAST).read_bytes() == good


def test_a_full_disk_ends_the_run_and_keeps_the_last_good_state(
    parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config()
    trainer = trainer_for(parquet, tmp_path, settings, save_seconds=0.0)
    save, calls = torch.save, []

    def full(state: object, path: Path) -> None:
        calls.append(path)
        if len(calls) < 3:
            save(state, path)
            return
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"step 3 can't be saved.*No space left.*holds an earlier step.*make room"):
        trainer.run()
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == [LAST, "log.jsonl"]
    again = trainer_for(parquet, tmp_path, settings)
    again.resume()
    assert again.step == 2
