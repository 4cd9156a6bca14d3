"""Data in both layouts, and a training run that stops and goes on, on a tiny network."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from inception_model import spec
from inception_model.augmentation import distort, random_box
from inception_model.cli import main
from inception_model.data import DatasetError, open_dataset, read_labels
from inception_model.evaluation import evaluate_network
from inception_model.network import GoogLeNet, Heads, init_weights
from inception_model.preprocessing import Preprocessing
from inception_model.training import (
    Stage,
    Trainer,
    TrainingConfig,
    batches,
    learning_rate,
    losses,
    parse_stages,
)

COLOURS = ((220, 30, 30), (30, 220, 30), (30, 30, 220))


def coloured(label: int, rng: np.random.Generator) -> Image.Image:
    noise = rng.normal(0, 20, (64, 64, 3))
    return Image.fromarray(np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("parquet"), np.random.default_rng(0)
    for split, count in (("train", 48), ("validation", 24)):
        labels = [i % 3 for i in range(count)]
        images = [{"bytes": png(coloured(label, rng)), "path": None} for label in labels]
        boxes = [[1, 2, 30, 40]] * count
        table = pa.table({"image": images, "label": pa.array(labels, pa.int16()), "bbox": boxes})
        half = count // 2
        pq.write_table(table.slice(0, half), root / f"{split}-00000-of-00002.parquet")
        pq.write_table(table.slice(half), root / f"{split}-00001-of-00002.parquet")
    rows = "".join(f"{i}\tn0000000{i}\t{name}\n" for i, name in enumerate(("red", "green", "blue")))
    (root / "classes.tsv").write_text("label\twnid\twords\n" + rows)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("folder"), np.random.default_rng(1)
    for split in ("train", "val"):
        for label, name in enumerate(("blue", "green", "red")):
            directory = root / split / name
            directory.mkdir(parents=True)
            for i in range(4):
                coloured(2 - label, rng).save(directory / f"{i}.png")
    return root


def config(**changes: object) -> TrainingConfig:  # forty-eight steps: only a short average has seen them
    values = {
        "stages": (Stage(64, 4.0),),
        "batch": 8,
        "lr": 0.05,
        "warmup_steps": 4,
        "workers": 0,
        "bf16": False,
        "ema_decay": 0.5,
    }
    return TrainingConfig(**(values | changes))


def test_both_layouts_are_read(parquet: Path, folder: Path) -> None:
    images = open_dataset(parquet, "train")
    assert len(images) == 48
    assert images.boxes is not None
    assert images.boxes.shape == (48, 4)
    image, label = images[25]
    assert image.size == (64, 64)
    assert label == 25 % 3
    assert len(images.first(5)) == 5
    assert [x.words for x in read_labels(parquet)] == ["red", "green", "blue"]
    validation = open_dataset(folder, "validation")
    assert len(validation) == 12
    assert [x.wnid for x in read_labels(folder)] == ["blue", "green", "red"]
    pixels, label = np.asarray(validation[0][0]), validation[0][1]
    assert label == 0
    assert pixels.mean((0, 1)).argmax() == 2  # the first class is blue


def test_wrong_data_say_what_is_missing(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        open_dataset(tmp_path / "nowhere", "train")
    with pytest.raises(DatasetError, match="holds neither"):
        open_dataset(tmp_path, "train")
    (tmp_path / "train").mkdir()
    with pytest.raises(DatasetError, match="no validation images"):
        open_dataset(tmp_path, "validation")
    pq.write_table(pa.table({"picture": [b""]}), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match="missing: image, label"):
        open_dataset(tmp_path, "train")


def test_the_loss_is_main_plus_three_tenths_of_each_auxiliary() -> None:
    labels = torch.tensor([0, 2])
    heads = Heads(torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 3))
    parts = [F.cross_entropy(x, labels) for x in (heads.aux1, heads.aux2, heads.main)]
    assert torch.isclose(losses(heads, labels, 0.0), parts[2] + 0.3 * (parts[0] + parts[1]))
    assert torch.isclose(losses(Heads(None, None, heads.main), labels, 0.0), parts[2])


def test_batches_cover_each_epoch_once_and_go_on_where_they_were() -> None:
    whole = list(batches(20, 5, 0, 8, seed=3))
    assert sorted(index for batch in whole[:4] for index in batch) == list(range(20))
    assert whole[:4] != whole[4:]
    assert list(batches(20, 5, 3, 5, seed=3)) == whole[3:]


def test_learning_rate_rises_and_falls_linearly() -> None:
    rates = [learning_rate(step, 104, config(lr=1.0, lr_end=0.1)) for step in range(105)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[54] == pytest.approx(0.55)
    assert rates[104] == pytest.approx(0.1)


def test_random_boxes_stay_inside_and_keep_their_area() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        x0, y0, x1, y1 = random_box((80, 60), rng, 0.35, 1.25)
        assert 0 <= x0 < x1 <= 80
        assert 0 <= y0 < y1 <= 60
        assert (x1 - x0) * (y1 - y0) > 0.3 * 80 * 60


def test_photometric_distortion_changes_colour_but_not_shape() -> None:
    image = coloured(0, np.random.default_rng(0))
    distorted = [np.asarray(distort(image, np.random.default_rng(seed), 0.4), dtype=float) for seed in range(30)]
    assert all(pixels.shape == (64, 64, 3) for pixels in distorted)
    brightness = [pixels.mean() for pixels in distorted]
    assert max(brightness) > 1.3 * min(brightness)
    grey = [np.ptp(pixels, axis=2).max() <= 1 for pixels in distorted]
    assert 0 < sum(grey) < 15
    assert np.array_equal(np.asarray(distort(image, NeverGrey(), 0.0)), np.asarray(image))


class NeverGrey(np.random.Generator):
    """A generator whose images keep their colour."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return 1.0


def test_stages_are_parsed_or_refused() -> None:
    assert parse_stages("128:3,224:0.5") == (Stage(128, 3.0), Stage(224, 0.5))
    for text in ("", "128", "128:x", "16:1", "128:0"):
        with pytest.raises(ValueError, match="stage"):
            parse_stages(text)


def test_a_network_learns_and_a_stopped_run_goes_on(parquet: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)  # the crops' randomness
    train, validation = open_dataset(parquet, "train"), open_dataset(parquet, "validation")
    start = init_weights(GoogLeNet(spec.tiny(3, batch_norm=1e-5)), seed=1)
    settings = config(stages=(Stage(64, 3.0), Stage(96, 5.0)), save_every=1)
    trainer = Trainer(start, train, validation, tmp_path, settings, torch.device("cpu"))

    class StoppedError(Exception):
        pass

    def stop_at_five(*_: object) -> None:
        if trainer.step == 5:
            raise StoppedError

    trainer.average.register_forward_pre_hook(stop_at_five)
    original = trainer._save
    trainer._save = lambda: (original(), stop_at_five())  # type: ignore[method-assign]
    with pytest.raises(StoppedError):
        trainer.run()

    again = Trainer(GoogLeNet(start.spec), train, validation, tmp_path, settings, torch.device("cpu"))
    again.resume()
    assert again.step == 5
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], value), name
    averaged = again.run()
    assert again.step == again.total_steps == 48
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["size"] for line in lines if "validation" in line] == [64, 96]
    assert {"train_aux1", "train_aux2", "train_main", "loss"} <= lines[0].keys()
    accuracy = evaluate_network(averaged, validation, Preprocessing(size=96, resize=96))
    assert accuracy["main"].top1 > 0.6  # chance is a third
    assert accuracy["main"].top5 == 1.0  # three classes
    other = Trainer(start, train, None, tmp_path, config(), torch.device("cpu"))
    with pytest.raises(ValueError, match="other settings"):
        other.resume()


def test_evaluation_equals_counting_by_hand(parquet: Path) -> None:
    images, preprocessing = open_dataset(parquet, "validation"), Preprocessing(size=64, resize=64)
    network = init_weights(GoogLeNet(spec.tiny(3)), seed=2).eval()
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
    assert answer["images"] == 24
    assert set(answer["heads"]) == {"aux1", "aux2", "main"}
    assert all(0 <= row["top1"] <= row["top5"] <= 1 for row in answer["heads"].values())
    assert main(["evaluate", "--data", str(parquet), "--checkpoint", "tiny-imagenet", "--device", "cpu"]) == 2
    assert "must be the same" in capsys.readouterr().err


def test_two_processes_share_their_gradients(parquet: Path, tmp_path: Path) -> None:
    """A run of two processes with half batches ends with the same weights in both."""
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, torch, torch.distributed as dist\n"
        "from pathlib import Path\n"
        "from inception_model import spec\n"
        "from inception_model.data import open_dataset\n"
        "from inception_model.network import GoogLeNet, init_weights\n"
        "from inception_model.training import Stage, Trainer, TrainingConfig\n"
        "torch.set_num_threads(1)\n"
        "dist.init_process_group('gloo')\n"
        "config = TrainingConfig(stages=(Stage(64, 0.5),), batch=8, workers=0, bf16=False)\n"
        "images = open_dataset(Path(sys.argv[1]), 'train')\n"
        "out = Path(sys.argv[2]) / str(dist.get_rank())\n"
        "network = init_weights(GoogLeNet(spec.tiny(3, batch_norm=1e-5)))\n"
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
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    first, second = (torch.load(tmp_path / str(rank) / "weights.pt", weights_only=True) for rank in (0, 1))
    start = list(init_weights(GoogLeNet(spec.tiny(3, batch_norm=1e-5))).parameters())
    assert any(not torch.equal(a, b) for a, b in zip(first, start, strict=True))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
