"""Heads that are thrown away come back on a frozen trunk: their accuracy, their file, and the command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from inception_model.analysis import frozen_trunk, probes
from inception_model.analysis.frozen_trunk import look
from inception_model.analysis.probes import collect_features, load_probes, probes_path
from inception_model.architecture.labels import Label
from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.spec import HEADS
from inception_model.architecture.variants import inception5h, tiny
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.checkpoint import Checkpoint, file_sha256
from inception_model.checkpoints.store import heads_path, load, save
from inception_model.cli import main
from inception_model.inference.classifier import build
from inception_model.inference.trace import capture
from inception_model.training import head_fitting
from inception_model.training.data import LabelledImages, open_dataset
from inception_model.training.evaluation import evaluate_network
from inception_model.training.head_fitting import fit_head, fresh_head, room_for
from inception_model.training.holdout import hold_out
from inception_model.training.recipe import FITTED_HEADS, Stage
from inception_model.training.run_folder import TrainingError
from inception_model.training.trainer import Trainer, views
from tests.random_networks import random_classifier
from tests.training.runs import config, png
from tests.weight_files import torchvision_network

Relative = Callable[[torch.Tensor, torch.Tensor], float]

CLASSES, TRAINED_ON, HELD = 5, 500, 500
OPTIONS = ["--epochs", "12", "--batch", "32", "--holdout", str(HELD), "--device", "cpu"]
FEW_HELD = 60
FEW = ["--holdout", str(FEW_HELD), "--limit", "50"]
"""Where it does not matter how right the heads are."""


def overlapping(count: int, seed: int) -> list[tuple[bytes, int]]:
    """Plain images whose colours differ within a class as much as between classes: nobody can name all of them."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        label = number % CLASSES
        colour = np.array([50 + 40 * label, 128, 210 - 40 * label]) + rng.normal(0, 22, 3)
        pixels = np.clip(colour + rng.normal(0, 10, (32, 32, 3)), 0, 255).astype(np.uint8)
        found.append((png(Image.fromarray(pixels)), label))
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five classes in a folder each; images to train on, and as many to be held out of them."""
    root = tmp_path_factory.mktemp("overlapping")
    for number, (encoded, label) in enumerate(overlapping(TRAINED_ON + HELD, seed=0)):
        folder = root / "train" / f"c{label}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.png").write_bytes(encoded)
    for number, (encoded, label) in enumerate(overlapping(20, seed=1)):
        folder = root / "val" / f"c{label}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.png").write_bytes(encoded)
    return root


@pytest.fixture(scope="module")
def held_out(data: Path) -> LabelledImages:
    found = hold_out(open_dataset(data, "train"), HELD)[1]
    assert found is not None
    return found


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A small network whose three heads were trained together, as `train` does."""
    folder = tmp_path_factory.mktemp("whole")
    train, _ = hold_out(open_dataset(data, "train"), HELD)
    spec = tiny(CLASSES, batch_norm=1e-5)
    # Of sixteen features behind a dropout of 70% too little is left for heads that are worth coming back.
    spec = replace(spec, aux=tuple(replace(aux, fc=64, dropout=0.1) for aux in spec.aux))
    start = init_weights(GoogLeNet(spec), seed=1)
    settings = config(stages=(Stage(32, 6.0),), batch=25, ema_decay=0.9)
    averaged = Trainer(start, train, None, folder / "run", settings, torch.device("cpu")).run()
    labels = tuple(Label(index, f"c{index}", f"colour {index}") for index in range(CLASSES))
    made = Checkpoint(
        "whole", averaged.spec, views(32, settings), labels, averaged.state_dict(), HEADS, "made here", ""
    )
    return save(made, folder / "whole.safetensors")


@pytest.fixture(scope="module")
def bare(whole: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same trunk in a file whose auxiliary heads are thrown away: random ones, not trained."""
    path = tmp_path_factory.mktemp("bare") / "bare.safetensors"
    random = init_weights(GoogLeNet(whole.spec), seed=9).state_dict()
    state = {key: random[key] if key.startswith("aux") else value for key, value in whole.state.items()}
    save(replace(whole, state=state, heads_trained=("main",), accuracy={}), path)
    return path


@pytest.fixture(scope="module")
def fitted(bare: Path, data: Path) -> Checkpoint:
    with pytest.MonkeyPatch.context() as patch:  # how probes choose their weight decay is shown in `test_probes`
        patch.setattr(probes, "fit", partial(probes.fit, decays=probes.DECAYS[1:3]))
        assert main(["fit-heads", str(data), "--checkpoint", str(bare), *OPTIONS]) == 0
    return load(bare)


def accuracy(checkpoint: Checkpoint, images: LabelledImages) -> dict[str, float]:
    found = evaluate_network(build(checkpoint, "cpu").network, images, checkpoint.preprocessing)
    return {head: right.top1 for head, right in found.items()}


def test_accuracy_comes_back(whole: Checkpoint, bare: Path, fitted: Checkpoint, held_out: LabelledImages) -> None:
    before, thrown, after = (accuracy(each, held_out) for each in (whole, load(bare, fitted=False), load(bare)))
    assert load(bare, fitted=False).heads_trained == ("main",)
    assert fitted.heads_trained == HEADS
    for head in ("aux1", "aux2"):
        assert 0.4 < before[head] < 0.95, "a task that is neither too hard nor too easy to tell anything"
        assert thrown[head] < before[head] - 0.1
        # The short training leaves them behind main, which on this task is no better than they can be.
        assert after[head] > max(before[head], before["main"]) - 0.02
        assert fitted.fitted is not None
        # Stored in float16 and measured on maps in float16: hardly an image is named otherwise.
        assert round(HELD * abs(fitted.fitted.accuracy[head].top1 - after[head])) <= 2
    assert after["main"] == thrown["main"]


def test_the_trunk_and_the_main_head_are_the_same_to_the_bit(bare: Path, fitted: Checkpoint) -> None:
    alone = load(bare, fitted=False)
    x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    one, other = (build(each, "cpu").heads_of(x) for each in (alone, fitted))
    assert torch.equal(one.main, other.main)
    assert not torch.equal(one.of("aux1"), other.of("aux1"))
    assert all(torch.equal(alone.state[key], fitted.state[key]) for key in alone.state if not key.startswith("aux"))
    assert fitted.sha256 == alone.sha256 == file_sha256(bare)
    assert fitted.identity != alone.identity


def test_heads_read_what_a_trace_shows(
    whole: Checkpoint, held_out: LabelledImages, tmp_path: Path, relative: Relative
) -> None:
    classifier, images = build(whole, "cpu"), held_out.first(5)
    seen = look(classifier, images, ("aux1", "aux2"), tmp_path, probes=True, batch=2)
    wanted = collect_features(classifier, images, batch=2)
    assert seen.labels.tolist() == images.labels.tolist()
    assert seen.features is not None
    assert all(torch.equal(seen.features.values[name], wanted.values[name]) for name in whole.spec.module_names)
    trace = capture(classifier, torch.cat([classifier.prepare(images[i][0]) for i in range(5)]))
    for head, module in (("aux1", "4a"), ("aux2", "4d")):
        pooled = F.adaptive_avg_pool2d(trace.block(module).output, 4)
        assert relative(seen.maps[head].float(), pooled) < 1e-3, "float16 keeps three digits"
        logits = classifier.network.aux_head(head).classify(pooled)
        assert relative(logits, trace.logits(head)) < 1e-5


def test_the_same_seed_gives_the_same_heads(whole: Checkpoint) -> None:
    maps, labels = torch.randn(40, 32, 4, 4).half(), torch.arange(40) % CLASSES
    settings = replace(FITTED_HEADS, stages=(Stage(224, 2),), batch=8)

    def fit(seed: int) -> torch.Tensor:
        chosen = replace(settings, seed=seed)
        return fit_head(fresh_head(whole.spec, "aux1", seed), maps, labels, chosen, torch.device("cpu")).fc.weight

    state = torch.random.get_rng_state()
    assert torch.equal(fit(0), fit(0))
    assert not torch.equal(fit(0), fit(1))
    assert torch.equal(fit(0), fit(0).half().float())
    assert torch.equal(torch.random.get_rng_state(), state), "whoever draws random numbers beside it is not disturbed"


def test_a_loss_that_is_no_number_is_told(whole: Checkpoint) -> None:
    maps = torch.full((8, 32, 4, 4), torch.nan).half()
    with pytest.raises(TrainingError, match=r"aux1 became nan at step 1 of .*--lr"):
        fit_head(fresh_head(whole.spec, "aux1", 0), maps, torch.zeros(8).long(), FITTED_HEADS, torch.device("cpu"))


def test_many_maps_lie_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(tmp_path.iterdir())
    room_for({"aux1": 8}, 100, tmp_path)
    assert not list(tmp_path.iterdir()), "few lie in memory"
    monkeypatch.setattr(head_fitting, "MEMORY", 1000)
    maps = room_for({"aux1": 8, "aux2": 16}, 100, tmp_path)
    assert {head: tuple(each.shape) for head, each in maps.items()} == {"aux1": (100, 8, 4, 4), "aux2": (100, 16, 4, 4)}
    assert sorted(file.stat().st_size for file in tmp_path.iterdir()) == [100 * 8 * 32, 100 * 16 * 32]
    maps["aux2"][99] = 3
    assert float(maps["aux2"].sum()) == 16 * 16 * 3
    with pytest.raises(TrainingError, match=r"takes .* GB, and .* has .* GB: use a smaller --limit"):
        room_for({"aux1": 512}, 10**12, tmp_path)


def test_probes_come_from_the_same_pass(bare: Path, fitted: Checkpoint) -> None:
    found = load_probes(probes_path(bare), fitted)
    assert (found.training, found.validation) == (TRAINED_ON, HELD)
    assert found.modules["4a"].accuracy.top1 > 2 / CLASSES


def test_probes_that_lie_there_stay(bare: Path, fitted: Checkpoint, data: Path) -> None:
    before = probes_path(bare).read_bytes()
    command = ["fit-heads", str(data), "--checkpoint", str(bare), *OPTIONS, *FEW, "--heads", "aux1"]
    there = heads_path(bare).read_bytes()
    try:
        assert main(command) == 0
        one = load(bare)
        assert one.heads_trained == HEADS, "aux2 is not asked for, and stays"
        for key, value in fitted.state.items():
            assert torch.equal(one.state[key], value) or key.startswith("aux1.")
        assert not torch.equal(one.state["aux1.fc.weight"], fitted.state["aux1.fc.weight"])
        assert one.fitted is not None
        assert fitted.fitted is not None
        (kept,) = one.fitted.earlier
        assert kept.accuracy == {"aux2": fitted.fitted.accuracy["aux2"]}
        assert (kept.training, kept.settings) == (fitted.fitted.training, fitted.fitted.settings)
        assert one.identity != fitted.identity
    finally:
        heads_path(bare).write_bytes(there)
    assert probes_path(bare).read_bytes() == before


def test_what_is_told_is_what_is_written(
    bare: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.heads.safetensors"
    options = [*FEW, "--epochs", "2", "--no-probes", "--seed", "3", "--out", str(out), "--json"]
    assert main(["fit-heads", str(data), "--checkpoint", str(bare), *OPTIONS, *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == {"training": 50, "held_out": FEW_HELD}
    assert told["settings"] == {"epochs": 2, "batch": 32, "lr": FITTED_HEADS.lr, "seed": 3}
    assert told["written"] == [str(out)]
    assert [file.name for file in tmp_path.iterdir()] == [out.name]
    os.link(bare, tmp_path / "x.safetensors")
    found = load(tmp_path / "x.safetensors").fitted
    assert found is not None
    assert {head: vars(right) for head, right in found.accuracy.items()} == told["heads"]
    assert (found.training, found.held_out, found.classes, found.settings.seed) == (50, FEW_HELD, CLASSES, 3)


def test_ctrl_c_leaves_what_was_there(
    bare: Path, fitted: Checkpoint, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file.name: file.read_bytes() for file in bare.parent.iterdir()}

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(frozen_trunk, "measure_head", stopped)
    assert main(["fit-heads", str(data), "--checkpoint", str(bare), *OPTIONS, *FEW]) == 130
    assert {file.name: file.read_bytes() for file in bare.parent.iterdir()} == before


def test_a_temperature_is_for_what_the_file_itself_holds(
    bare: Path, fitted: Checkpoint, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One for a head that lies beside the file would make the file unreadable."""
    path = tmp_path / "net.safetensors"
    path.write_bytes(bare.read_bytes())
    heads_path(path).write_bytes(heads_path(bare).read_bytes())
    assert load(path).heads_trained == fitted.heads_trained
    assert (
        main(["calibrate", str(data), "--checkpoint", str(path), "--holdout", "50", "--device", "cpu", "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert list(told["temperatures"]) == ["main"]
    assert told["measured_on_another_hash"] == [str(heads_path(path))]
    assert load(path).heads_trained == ("main",)
    assert "they were fitted on a checkpoint with sha256" in load(path).fitted_refused


def test_a_trial_measures_and_writes_nothing(
    whole: Checkpoint, data: Path, tmp_path: Path, held_out: LabelledImages, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "whole.safetensors"
    save(whole, path)
    command = ["fit-heads", str(data), "--checkpoint", str(path), *OPTIONS]
    assert main(command) == 2
    assert "aux1 and aux2 of whole came trained and stay as they are; with --trial" in capsys.readouterr().err
    assert main([*command, "--trial", "--limit", "100", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = accuracy(whole, held_out)
    for head in ("aux1", "aux2"):
        assert round(HELD * abs(told["came_trained"][head]["top1"] - wanted[head])) <= 2
    assert told["written"] == []
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert main([*command, "--trial", *FEW, "--heads", "aux2"]) == 0
    assert "(the one that came trained:" in capsys.readouterr().out


def test_bad_input_is_one_sentence(bare: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["fit-heads", str(data), "--checkpoint", str(bare), *OPTIONS]
    for options, said in (
        (["--limit", "0"], "--limit must be at least 1"),
        (["--epochs", "0"], "--epochs and --lr must be above 0"),
        (["--holdout", "1000"], "use a smaller --holdout"),
        (["--out", str(tmp_path / "no" / "x")], "does not exist"),
    ):
        assert main([*command, *options]) == 2
        assert said in capsys.readouterr().err
    assert main(["fit-heads", str(tmp_path), "--checkpoint", str(bare)]) == 2
    assert "holds neither" in capsys.readouterr().err
    path = tmp_path / "none.safetensors"
    save(random_classifier(replace(tiny(3), aux=inception5h().aux)).checkpoint, path)
    assert main(["fit-heads", str(data), "--checkpoint", str(path)]) == 2
    assert "none has no auxiliary heads to fit; `probe`" in capsys.readouterr().err


def test_all_three_heads_speak_for_torchvisions_file(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.pth"
    torch.save(torchvision_network(CLASSES).state_dict(), path)
    assert load(path).heads_trained == ("main",)
    photo = next((data / "train").rglob("*.png"))
    options = ["--limit", "10", "--holdout", "5", "--epochs", "2", "--batch", "4", "--no-probes", "--device", "cpu"]
    assert main(["fit-heads", str(data), "--checkpoint", str(path), *options]) == 0
    found = load(path)
    assert found.heads_trained == HEADS
    assert found.fitted is not None
    assert "were fitted here afterwards" in found.card
    capsys.readouterr()
    assert main(["predict", str(photo), "--checkpoint", str(path), "--device", "cpu", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert "untrained" not in json.dumps(answers).replace('"untrained": false', "")
    assert main(["checkpoints", "show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"on 10 images of {CLASSES} classes" in shown.replace("\n", " ")
    # Other weights under the same name: the heads say nothing about them.
    torch.save(torchvision_network(CLASSES, seed=1).state_dict(), path)
    assert load(path).heads_trained == ("main",)
    assert "they were fitted on a checkpoint with sha256" in load(path).fitted_refused
    assert main(["predict", str(photo), "--checkpoint", str(path), "--device", "cpu"]) == 0
    assert "fit them anew with `inceptionscope fit-heads`" in capsys.readouterr().err
