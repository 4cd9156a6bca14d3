"""A training run on a tiny network: that it learns, what it tunes, its evaluation and its command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inception_model.architecture import variants
from inception_model.architecture.network import GoogLeNet, Heads
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.store import load
from inception_model.cli import main
from inception_model.images.preprocessing import Preprocessing
from inception_model.training.data import open_dataset
from inception_model.training.evaluation import evaluate_network
from inception_model.training.recipe import Stage
from inception_model.training.trainer import losses
from tests.compare import assert_close
from tests.training.runs import config, trainer_for


def test_the_loss_is_main_plus_three_tenths_of_each_auxiliary() -> None:
    labels = torch.tensor([0, 2])
    heads = Heads(torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 3))
    parts = [F.cross_entropy(x, labels) for x in (heads.aux1, heads.aux2, heads.main)]
    assert_close(losses(heads, labels, 0.0), parts[2] + 0.3 * (parts[0] + parts[1]), 1e-6)
    assert_close(losses(Heads(None, None, heads.main), labels, 0.0), parts[2], 1e-6)


def test_a_network_learns(parquet: Path, tmp_path: Path) -> None:
    validation = open_dataset(parquet, "validation")
    settings = config(stages=(Stage(64, 3.0), Stage(96, 4.0), Stage(96, 0.5, tune=True)))
    trainer = trainer_for(parquet, tmp_path, settings, held_out=validation)
    averaged = trainer.run()
    assert trainer.step == trainer.total_steps == 45
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["size"] for line in lines if "held_out" in line] == [64, 96, 96]
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
    handler = signal.getsignal(signal.SIGTERM)
    assert main(run + options) == 0  # nothing is left to do, and nothing that was measured is lost
    assert signal.getsignal(signal.SIGTERM) is handler
    assert load(file).accuracy == first.accuracy
    capsys.readouterr()
    assert answer["images"] == 24
    assert set(answer["heads"]) == {"aux1", "aux2", "main"}
    assert all(0 <= row["top1"] <= row["top5"] <= 1 for row in answer["heads"].values())
    assert main(["evaluate", "--data", str(parquet), "--checkpoint", "tiny-imagenet", "--device", "cpu"]) == 2
    assert "are not among the 200" in capsys.readouterr().err


def test_two_processes_share_their_gradients(parquet: Path, tmp_path: Path) -> None:
    """A run of two processes with half batches ends with the same weights in both."""
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, torch, torch.distributed as dist\n"
        "from pathlib import Path\n"
        "from inception_model.architecture import variants\n"
        "from inception_model.training.data import open_dataset\n"
        "from inception_model.architecture.network import GoogLeNet\n"
        "from inception_model.architecture.weights import init_weights\n"
        "from inception_model.training.recipe import Stage, TrainingConfig\n"
        "from inception_model.training.trainer import Trainer\n"
        "torch.set_num_threads(1)\n"
        "dist.init_process_group('gloo')\n"
        "config = TrainingConfig(stages=(Stage(64, 0.5),), batch=8)\n"
        "images = open_dataset(Path(sys.argv[1]), 'train')\n"
        "out = Path(sys.argv[2]) / str(dist.get_rank())\n"
        "network = init_weights(GoogLeNet(variants.tiny(3, batch_norm=1e-5)))\n"
        "trainer = Trainer(network, images, None, out, config, torch.device('cpu'))\n"
        "trainer.run()\n"
        "torch.save([p.detach() for p in trainer.network.parameters()], out / 'weights.pt')\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    result = subprocess.run(
        [*command, str(parquet), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    first, second = (torch.load(tmp_path / str(rank) / "weights.pt", weights_only=True) for rank in (0, 1))
    start = list(init_weights(GoogLeNet(variants.tiny(3, batch_norm=1e-5))).parameters())
    assert any(not torch.equal(a, b) for a, b in zip(first, start, strict=True))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
