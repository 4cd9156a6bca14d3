"""A training run on a tiny network: that it learns, what it tunes, its evaluation and its command."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F

from inception_model.architecture import variants
from inception_model.architecture.network import GoogLeNet, Heads
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.store import load, save, save_calibration
from inception_model.cli import main
from inception_model.images.preprocessing import Preprocessing
from inception_model.training.averaging import newest_weight
from inception_model.training.calibration import Calibration, HeadCalibration, Reliability, ReliabilityBin
from inception_model.training.data import open_dataset
from inception_model.training.evaluation import evaluate_network
from inception_model.training.objective import losses
from inception_model.training.recipe import RECIPES, Stage, TrainingConfig
from inception_model.training.run_folder import TrainingError
from inception_model.training.trainer import Trainer
from tests.compare import assert_close, relative_norm
from tests.processes import exit_codes
from tests.training.runs import config, trainer_for


def test_the_loss_is_main_plus_three_tenths_of_each_auxiliary() -> None:
    labels = torch.tensor([0, 2])
    heads = Heads(torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 3))
    parts = [F.cross_entropy(x, labels) for x in (heads.aux1, heads.aux2, heads.main)]
    assert_close(losses(heads, labels, 0.0, 0.3), parts[2] + 0.3 * (parts[0] + parts[1]), 1e-6)
    assert_close(losses(Heads(None, None, heads.main), labels, 0.0, 0.3), parts[2], 1e-6)


def test_a_network_learns(parquet: Path, tmp_path: Path) -> None:
    validation = open_dataset(parquet, "validation")
    settings = config(stages=(Stage(64, 3.0), Stage(96, 4.0), Stage(96, 0.5, tune=True)))
    trainer = trainer_for(parquet, tmp_path, settings, held_out=validation)
    averaged = trainer.run()
    assert trainer.step == trainer.total_steps == 45
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    measured = [(line["step"], line["size"]) for line in lines if "held_out" in line]
    # Six steps an epoch; a stage that ends within one is measured as well.
    assert measured == [(6, 64), (12, 64), (18, 64), (24, 96), (30, 96), (36, 96), (42, 96), (45, 96)]
    assert {"train_aux1", "train_aux2", "train_main", "loss", "lr"} <= lines[0].keys()
    accuracy = evaluate_network(averaged, validation, Preprocessing(size=96, resize=96))
    assert accuracy["main"].top1 > 0.6  # chance is a third
    assert accuracy["main"].top5 == 1.0  # three classes


def test_tuning_changes_classifiers_and_batch_norm_only(parquet: Path, tmp_path: Path) -> None:
    settings = config(stages=(Stage(64, 1.0), Stage(64, 1.0, tune=True)))
    kept: dict[str, torch.Tensor] = {}
    trainer = trainer_for(parquet, tmp_path, settings)
    start_tuning = trainer._start_tuning

    def remember() -> None:
        start_tuning()
        kept.update({name: value.clone() for name, value in trainer.network.state_dict().items()})

    trainer._start_tuning = remember  # type: ignore[method-assign]
    trainer.run()
    changed = {name for name, value in trainer.network.state_dict().items() if not torch.equal(value, kept[name])}
    assert changed
    assert all(".bn." in name or "classifier." in name for name in changed)
    assert {"classifier.weight", "aux1.classifier.weight", "3a.1x1.bn.weight"} <= changed


def test_a_stage_that_tunes_begins_a_new_average(parquet: Path, tmp_path: Path) -> None:
    trainer = trainer_for(parquet, tmp_path, config(stages=(Stage(32, 1.0), Stage(32, 0.5, tune=True))))
    began = []
    for step in range(trainer.total_steps + 1):
        trainer.step = step
        began.append(trainer.average_began)
    assert began == [0] * 7 + [6] * 3, "asked after a step: the sixth ends the first stage"
    assert newest_weight(5001, 6000, TrainingConfig()) == pytest.approx(9 / 5011)
    assert newest_weight(5001, 6000, TrainingConfig(), 5000) == pytest.approx(9 / 11)
    assert newest_weight(99999, 200000, TrainingConfig(), 999) == pytest.approx(1e-3)
    polyak = TrainingConfig(polyak_from=0.5)
    assert newest_weight(5001, 6000, polyak) == pytest.approx(1 / 2001)
    assert [newest_weight(step, 6000, polyak, 5000) for step in (5001, 5002, 5010)] == [1, 0.5, 0.1]
    assert newest_weight(3002, 6000, polyak, 1000) == 0.5, "a stage that begins before the share waits for it"


def test_evaluation_equals_counting_by_hand(parquet: Path) -> None:
    images, preprocessing = open_dataset(parquet, "validation"), Preprocessing(size=64, resize=64)
    network = init_weights(GoogLeNet(variants.tiny(3)), seed=2).eval()
    result = evaluate_network(network, images, preprocessing, batch=5)
    with torch.no_grad():
        right = [network(preprocessing(image)).argmax().item() == label for image, label in images]
        aux = [network.forward_heads(preprocessing(i)).aux1.argmax().item() == label for i, label in images]
    assert result["main"].top1 == pytest.approx(np.mean(right))
    assert result["aux1"].top1 == pytest.approx(np.mean(aux))


def test_train_and_evaluate_from_the_command_line(
    parquet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = [
        "train",
        "--data",
        str(parquet),
        "--out",
        str(tmp_path),
        "--spec",
        "tiny",
        "--stages",
        "64:6",
        "--batch",
        "8",
    ]
    options = [
        "--holdout",
        "6",
        "--workers",
        "0",
        "--no-bf16",
        "--warmup-steps",
        "2",
        "--lr",
        "0.05",
        "--device",
        "cpu",
    ]
    assert main(run + options) == 0
    file = tmp_path / "checkpoint.safetensors"
    capsys.readouterr()
    assert main(["evaluate", "--data", str(parquet), "--checkpoint", str(file), "--device", "cpu", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    first = load(file)
    assert set(first.accuracy) == {"aux1", "aux2", "main"}
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for curve in first.curve:
        assert curve.points == tuple((r["step"], r["held_out"][curve.head]["top1"]) for r in log if "held_out" in r)
        assert curve.points[-1] == (32, first.accuracy[curve.head]["top1"])
        assert [step for step, _ in curve.points] == [5, 10, 15, 20, 25, 30, 32], "every epoch, and the end"
    assert [curve.head for curve in first.curve] == ["aux1", "aux2", "main"]
    handler = signal.getsignal(signal.SIGTERM)
    assert main(run + options) == 0  # nothing is left to do, and nothing that was measured is lost
    assert signal.getsignal(signal.SIGTERM) is handler
    assert (load(file).accuracy, load(file).curve) == (first.accuracy, first.curve)
    capsys.readouterr()
    assert answer["images"] == 24
    assert set(answer["heads"]) == {"aux1", "aux2", "main"}
    assert all(0 <= row["top1"] <= row["top5"] <= 1 for row in answer["heads"].values())
    assert main(["evaluate", "--data", str(parquet), "--checkpoint", "tiny-imagenet", "--device", "cpu"]) == 2
    assert "are not among the 200" in capsys.readouterr().err


def test_a_complete_run_leaves_its_file_alone_with_all_that_was_written_into_it(
    parquet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["train", "--data", str(parquet), "--out", str(tmp_path), "--spec", "tiny", "--stages", "32:0.2"]
    run += ["--batch", "8", "--workers", "0", "--no-bf16", "--device", "cpu"]
    assert main(run) == 0
    file = tmp_path / "checkpoint.safetensors"
    some = Reliability((ReliabilityBin(10, 0.8, 0.5),), 1.0)
    calibrated = save_calibration(Calibration("data", 6, 10, {"main": HeadCalibration(1.5, some, some)}), file, file)
    capsys.readouterr()
    assert main(run) == 0
    assert "it stays as it is" in capsys.readouterr().out
    assert load(file).sha256 == calibrated.sha256
    state = {name: value + 1 if value.is_floating_point() else value for name, value in calibrated.state.items()}
    save(replace(calibrated, state=state), file)  # of another run
    assert main(run) == 0
    assert "written: " in capsys.readouterr().out
    assert all(torch.equal(value, calibrated.state[name]) for name, value in load(file).state.items())


def test_options_that_no_run_can_be_made_with_are_refused_in_a_sentence(
    parquet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--data", str(parquet), "--out", str(tmp_path / "run")]
    for text, words in (
        ("128", "stages must look like 128:3,224:0.5"),
        ("64:inf", "more than 0 epochs, a finite number"),
        ("64:nan", "more than 0 epochs, a finite number"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([*command, "--stages", text])
        assert ended.value.code == 2
        assert words in capsys.readouterr().err
    for option, value, words in (
        ("batch", "0", "at least 1; got 0"),
        ("limit", "-5", "at least 1; got -5"),
        ("workers", "-1", "a number of at least 0; got -1"),
        ("warmup-steps", "-1", "a number of at least 0; got -1"),
        ("holdout", "-1", "a number of at least 0; got -1"),
        ("lr", "nan", "a number of at least 0; got nan"),
        ("clip", "inf", "a number of at least 0; got inf"),
        ("ema-decay", "1.5", "from 0 to 1; got 1.5"),
    ):
        assert main([*command, f"--{option}", value]) == 2
        assert capsys.readouterr().err == f"error: --{option} must be {words}\n"
    assert not (tmp_path / "run").exists()


def one_of_two(rank: int, parquet: Path, folder: Path) -> None:
    """One process of the two that train together."""
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    trainer = alone(parquet, folder / str(rank))
    trainer.run()
    torch.save([p.detach() for p in trainer.network.parameters()], folder / str(rank) / "weights.pt")
    dist.destroy_process_group()


def alone(parquet: Path, out: Path) -> Trainer[GoogLeNet]:
    """A run of the paper's recipe on a network that sees every image by itself: no dropout, no batch norm. At its own
    rate so small a network amplifies the rounding of a sum tenfold at every step."""
    spec = variants.tiny(3)
    spec = replace(spec, dropout=0.0, aux=tuple(replace(aux, dropout=0.0) for aux in spec.aux))
    settings = replace(RECIPES["paper"], stages=(Stage(32, 1.5),), batch=8, lr=1e-3)
    network = init_weights(GoogLeNet(spec), 0, settings.initialisation)
    return Trainer(network, open_dataset(parquet, "train"), None, out, settings, torch.device("cpu"))


def test_two_processes_train_as_one_with_the_same_batches(parquet: Path, tmp_path: Path) -> None:
    """Each sees half of every batch: losses and weights are those of one process that sees all of it."""
    assert exit_codes(one_of_two, [(rank, parquet, tmp_path) for rank in (0, 1)]) == [0, 0]
    one = alone(parquet, tmp_path / "one")
    start = [p.detach().clone() for p in one.network.parameters()]
    one.run()
    first, second = (torch.load(tmp_path / str(rank) / "weights.pt", weights_only=True) for rank in (0, 1))
    for a, b, whole, before in zip(first, second, one.network.parameters(), start, strict=True):
        assert torch.equal(a, b)
        assert relative_norm(a - before, whole.detach() - before) < 1e-4
    told = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("0", "one")
    ]
    assert len(told[0]) == 2
    assert told[0] == pytest.approx(told[1], rel=1e-3)  # four digits are logged


def test_a_batch_that_processes_can_t_share_evenly_is_refused(
    parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    with pytest.raises(TrainingError, match="batch of 8 can't be shared evenly by 3 processes"):
        alone(parquet, tmp_path)
