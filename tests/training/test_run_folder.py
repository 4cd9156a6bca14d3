"""Runs that end too early: killed, told to stop, diverged or out of disk, and how they go on from their folder."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from inception_model.architecture.labels import Label
from inception_model.architecture.network import GoogLeNet
from inception_model.training.data import DatasetError, LabelledImages, open_dataset
from inception_model.training.holdout import hold_out
from inception_model.training.recipe import Stage
from inception_model.training.run_folder import LAST, LOG, TrainingError, read_log
from inception_model.training.trainer import StoppedError, Trainer
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


def test_a_run_that_is_told_to_stop_at_a_stages_last_step_loses_no_measurement(parquet: Path, tmp_path: Path) -> None:
    settings = config(stages=(Stage(32, 0.5), Stage(32, 0.5, tune=True)))

    def trainer(name: str, stop: Callable[[], bool] = lambda: False) -> Trainer[GoogLeNet]:
        return trainer_for(parquet, tmp_path / name, settings, held_out=open_dataset(parquet, "validation"), stop=stop)

    through = trainer("through")
    through.run()
    for last in (3, 6):  # of either stage
        stopped = trainer("stopped")
        stopped.resume()
        stopped.stop = lambda at=last, run=stopped: run.step == at
        with pytest.raises(StoppedError):
            stopped.run()
    again = trainer("stopped")
    again.resume()
    again.run()
    logs = [read_log(tmp_path / name / LOG) for name in ("through", "stopped")]
    for record in (*logs[0], *logs[1]):
        record.pop("images_per_s", None)
    assert logs[0] == logs[1]
    assert again.accuracy == through.accuracy != {}


def test_a_run_that_starts_anew_has_a_log_of_its_own(parquet: Path, tmp_path: Path) -> None:
    settings = config(stages=(Stage(32, 0.2),))
    for _ in range(3):
        trainer_for(parquet, tmp_path, settings).run()
        (tmp_path / LAST).unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.1.jsonl", "log.2.jsonl", LOG]
    assert [record["step"] for record in read_log(tmp_path / LOG)] == [1]


def test_a_run_does_not_go_on_from_another_start_or_with_other_data(parquet: Path, tmp_path: Path) -> None:
    settings, images = config(stages=(Stage(32, 0.2),)), open_dataset(parquet, "train")
    classes = tuple(Label(index, name, name) for index, name in enumerate(("red", "green", "blue")))
    trainer_for(parquet, tmp_path, settings, start="a" * 64, classes=classes).run()
    same = trainer_for(parquet, tmp_path, settings, start="a" * 64, classes=classes)
    same.resume()
    assert same.step == 1
    with pytest.raises(TrainingError, match="other settings"):
        trainer_for(parquet, tmp_path, settings, start="b" * 64, classes=classes).resume()
    with pytest.raises(TrainingError, match="other settings"):
        trainer_for(parquet, tmp_path, settings, classes=classes).resume()
    with pytest.raises(TrainingError, match="other settings"):
        trainer_for(parquet, tmp_path, settings, start="a" * 64, classes=classes[::-1]).resume()
    relabelled = LabelledImages(images.encoded, images.labels[::-1].copy())
    network, device = same.network, same.device
    other = Trainer(network, relabelled, None, tmp_path, settings, device, start="a" * 64, classes=classes)
    with pytest.raises(TrainingError, match="other settings"):
        other.resume()
    # What was begun before a run said where it starts from goes on.
    state = torch.load(tmp_path / LAST, weights_only=True)
    former = json.loads(state["config"])
    for name in ("start", "classes", "data"):
        del former[name]
    state["config"] = json.dumps(former)
    torch.save(state, tmp_path / LAST)
    other.resume()
    assert other.step == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_breaks_behind_its_header_is_told_in_one_sentence(
    parquet: Path, tmp_path: Path, workers: int
) -> None:
    sorted_images = open_dataset(parquet, "train")
    sorted_images = sorted_images.take(np.argsort(sorted_images.labels, kind="stable").tolist())
    encoded = list(sorted_images.encoded)
    encoded[20] = bytes(encoded[20])[:500]  # type: ignore[arg-type]
    kept, _ = hold_out(LabelledImages(encoded, sorted_images.labels), 6)  # two of the first class are before it
    settings = config(stages=(Stage(32, 1.0),))
    network = trainer_for(parquet, tmp_path, settings).network
    trainer = Trainer(network, kept, None, tmp_path, settings, torch.device("cpu"), workers=workers)
    with pytest.raises(DatasetError) as told:
        trainer.run()
    assert str(told.value).startswith("image 20 of the training images can't be decoded (image 20 is damaged")
    assert str(told.value).endswith("remove it")
    assert "Traceback" not in str(told.value)


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
