"""Data in both layouts, and a training run that stops and goes on, on a tiny network."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from inception_model.architecture import variants
from inception_model.architecture.network import GoogLeNet, Heads
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.store import load
from inception_model.cli import main
from inception_model.images.preprocessing import Preprocessing
from inception_model.training.augmentation import RandomViews, View
from inception_model.training.data import DatasetError, LabelledImages, open_dataset, read_labels
from inception_model.training.evaluation import evaluate_network
from inception_model.training.holdout import hold_out, training_images
from inception_model.training.recipe import RECIPES, Stage, TrainingConfig, learning_rate, parse_stages
from inception_model.training.run_folder import LAST, TrainingError
from inception_model.training.trainer import StoppedError, Trainer, batches, losses
from tests.compare import assert_close

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
    assert_close(losses(heads, labels, 0.0), parts[2] + 0.3 * (parts[0] + parts[1]), 1e-6)
    assert_close(losses(Heads(None, None, heads.main), labels, 0.0), parts[2], 1e-6)


def test_batches_cover_each_epoch_once_and_go_on_where_they_were() -> None:
    whole = list(batches(20, 5, 0, 8, seed=3))
    assert sorted(index for batch in whole[:4] for index in batch) == list(range(20))
    assert whole[:4] != whole[4:]
    assert list(batches(20, 5, 3, 5, seed=3)) == whole[3:]


def test_one_cycle_rises_and_falls_and_tuning_has_a_cosine_of_its_own() -> None:
    settings = config(stages=(Stage(64, 1.0), Stage(64, 0.25, tune=True)), batch=1, lr=1.0, lr_end=0.1, tune_lr=0.5)
    rates = [learning_rate(step, 104, settings) for step in range(130)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[54] == pytest.approx(0.55, rel=1e-6)  # half of the cosine's way
    assert rates[103] == pytest.approx(0.1, rel=0.01)
    assert rates[104] == 0.5
    assert rates[117] == pytest.approx(0.25, rel=1e-6)
    assert sorted(rates[104:], reverse=True) == rates[104:]


def test_views_depend_on_seed_step_and_image_alone(parquet: Path) -> None:
    images = open_dataset(parquet, "train")
    settings = config(trivial_augment=True, erasing=0.5, photometric=0.2, min_area=0.2)
    views = RandomViews(images, View(Stage(48, 1.0), settings), seed=3)
    first = views[(7, 5)][0]
    assert first.shape == (3, 48, 48)
    assert first.dtype is torch.uint8
    torch.manual_seed(99)
    assert torch.equal(views[(7, 5)][0], first)
    for place, seed in (((8, 5), 3), ((7, 6), 3), ((7, 5), 4)):
        assert not torch.equal(RandomViews(images, views.view, seed)[place][0], first)


def test_erasing_erases_as_often_as_asked(parquet: Path) -> None:
    images = open_dataset(parquet, "train")
    settings = config(erasing=0.5)
    views = RandomViews(images, View(Stage(32, 1.0), settings), seed=0)
    erased = [bool(((views[(step, 0)][0] == 127).all(0)).sum() > 15) for step in range(60)]
    assert 15 < sum(erased) < 45


def test_a_view_to_tune_on_is_the_centre_or_its_mirror(parquet: Path) -> None:
    images = open_dataset(parquet, "train")
    views = RandomViews(images, View(Stage(64, 1.0, tune=True), config(trivial_augment=True, erasing=1.0)), seed=0)
    whole = torch.from_numpy(np.array(images[3][0])).permute(2, 0, 1)
    for step in range(6):
        view = views[(step, 3)][0]
        assert torch.equal(view, whole) or torch.equal(view, whole.flip(2))


def test_stages_are_parsed_or_refused() -> None:
    assert parse_stages("128:3,224:0.5,224:1:tune") == (Stage(128, 3.0), Stage(224, 0.5), Stage(224, 1.0, tune=True))
    for text in ("", "128", "128:x", "16:1", "128:0", "128:nan", "128:1:fast", "128:1:tune,64:1"):
        with pytest.raises(ValueError, match="stage"):
            parse_stages(text)


def trainer_for(parquet: Path, out: Path, settings: TrainingConfig, **options: Any) -> Trainer:
    start = init_weights(GoogLeNet(variants.tiny(3, batch_norm=1e-5)), seed=1)
    held_out = options.pop("held_out", None)
    return Trainer(start, open_dataset(parquet, "train"), held_out, out, settings, torch.device("cpu"), **options)


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


RUN_TO_THE_END = """
import sys, os, signal, torch
from pathlib import Path
from tests.training.test_training import config, trainer_for
from inception_model.training.recipe import Stage
from tests.compare import assert_close
torch.set_num_threads(1)
out, kill_at = Path(sys.argv[2]), int(sys.argv[3])
settings = config(stages=(Stage(32, 1.0), Stage(32, 0.5, tune=True)), trivial_augment=True, erasing=0.5)
trainer = trainer_for(Path(sys.argv[1]), out, settings, save_seconds=0.0)
trainer.resume()
save = trainer._save
def save_and_die():
    save()
    if trainer.step == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
trainer._save = save_and_die
torch.save(trainer.run().state_dict(), out / "end.pt")
"""


def _python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=root, check=False)


def test_a_run_that_is_killed_twice_ends_as_one_that_was_never_interrupted(parquet: Path, tmp_path: Path) -> None:
    """Killed in the middle of the first stage, and in the stage that tunes: equal to the last bit."""
    through = _python(RUN_TO_THE_END, str(parquet), str(tmp_path / "through"), "-1")
    assert through.returncode == 0, through.stderr[-2000:]
    for kill_at in ("3", "8"):
        killed = _python(RUN_TO_THE_END, str(parquet), str(tmp_path / "killed"), kill_at)
        assert killed.returncode == -signal.SIGKILL
    again = _python(RUN_TO_THE_END, str(parquet), str(tmp_path / "killed"), "-1")
    assert again.returncode == 0, again.stderr[-2000:]
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


def test_images_are_held_out_evenly(parquet: Path) -> None:
    images = open_dataset(parquet, "train")
    kept, held = hold_out(images, 9)
    assert held is not None
    assert np.bincount(held.labels).tolist() == [3, 3, 3]
    assert not {bytes(data) for data in kept.encoded} & {bytes(data) for data in held.encoded}
    assert len(kept) + len(held) == len(images)
    assert hold_out(images, 0) == (images, None)
    with pytest.raises(DatasetError, match="smaller --holdout"):
        hold_out(images, 48)


def test_bad_training_data_are_named_before_the_first_step(parquet: Path, tmp_path: Path) -> None:
    for name in ("red", "green", "blue"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "good.png").write_bytes(png(coloured(0, np.random.default_rng(0))))
    (tmp_path / "train" / "red" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"1 of 4 training images.*broken\.png.*remove or replace"):
        training_images(tmp_path, 3)
    (tmp_path / "train" / "red" / "broken.png").unlink()
    (tmp_path / "train" / "green" / "good.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 3 classes have no training image"):
        training_images(tmp_path, 3)


def test_an_image_that_breaks_off_is_named(tmp_path: Path) -> None:
    whole = png(coloured(0, np.random.default_rng(0)))
    images = LabelledImages([whole, whole[: len(whole) // 2]], np.array([0, 0]))
    views = RandomViews(images, View(Stage(48, 1.0), config()), seed=0)
    views[(0, 0)]
    with pytest.raises(DatasetError, match="image 1 of the training images"):
        views[(0, 1)]


def test_the_recipe_of_the_bundled_network_is_one_cycle_with_growing_sizes() -> None:
    recipe = RECIPES["tiny-imagenet"]
    sizes = [stage.size for stage in recipe.stages]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 224
    assert [stage.tune for stage in recipe.stages] == [False] * (len(sizes) - 1) + [True]
    assert 47 <= sum(stage.epochs for stage in recipe.stages) <= 58
    assert recipe.holdout == 5000


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
