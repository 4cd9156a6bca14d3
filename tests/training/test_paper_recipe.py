"""The paper's own training (section 6), part by part, against its words, torchvision, Pillow and BVLC's solver."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import RandomResizedCrop

from inception_model.architecture import variants
from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.nin import NetworkInNetwork, nin
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.nin_file import load_nin
from inception_model.checkpoints.store import load
from inception_model.cli import main, train
from inception_model.training.augmentation import COLOUR_COMPONENTS, COLOUR_VARIANCES, Lighting, View
from inception_model.training.data import open_dataset
from inception_model.training.recipe import RECIPES, Stage, TrainingConfig, learning_rate
from inception_model.training.run_folder import LAST, TrainingError
from inception_model.training.trainer import Trainer, batches, views
from tests.compare import assert_close, relative_norm
from tests.training.runs import config, trainer_for

PAPER = RECIPES["paper"]
SIDE = 64


def seen(image: Image.Image, count: int, **changes: object) -> list[Tensor]:
    """Views of the paper's recipe, but for some parts of it."""
    view = View(Stage(SIDE, 1.0), dataclasses.replace(PAPER, **changes))
    found = []
    for seed in range(count):
        torch.manual_seed(seed)
        found.append(view(image).float())
    return found


def grey(value: np.ndarray) -> Image.Image:
    return Image.fromarray(np.repeat(value[..., None], 3, 2).astype(np.uint8))


WHOLE = {"min_area": 1.0, "max_aspect": 1.0, "interpolations": ("bicubic",)}
STILL = {"photometric": 0.0, "lighting": 0.0}


def test_the_network_and_the_losses_are_the_papers() -> None:
    spec = variants.get_spec(PAPER.spec)
    assert spec.stem.lrn is not None
    assert spec.batch_norm is None
    assert (spec.dropout, [aux.dropout for aux in spec.aux], PAPER.aux_weight) == (0.4, [0.7, 0.7], 0.3)
    assert (PAPER.momentum, PAPER.nesterov, PAPER.label_smoothing) == (0.9, False, 0.0)


def test_the_rate_falls_by_four_percent_every_eight_epochs() -> None:
    settings = dataclasses.replace(PAPER, batch=10, stages=(Stage(SIDE, 40),))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], settings.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.96)
    for epoch in range(40):
        for step in range(5 * epoch, 5 * epoch + 5):
            assert learning_rate(step, 50, settings) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        schedule.step()


def test_biases_learn_twice_as_fast_and_have_no_weight_decay(parquet: Path, tmp_path: Path) -> None:
    """BVLC's train_val.prototxt: lr_mult 1 and decay_mult 1 for weights, 2 and 0 for biases."""
    settings = dataclasses.replace(PAPER, stages=(Stage(32, 1),), batch=8)
    start = init_weights(GoogLeNet(variants.tiny(3)), 1, PAPER.initialisation)
    device = torch.device("cpu")
    trainer = Trainer(start, open_dataset(parquet, "train").first(8), None, tmp_path, settings, device)
    expected: dict[str, Tensor] = {}

    def by_hand(self: Trainer[GoogLeNet]) -> None:
        for name, p in self.network.named_parameters():
            assert p.grad is not None
            multiplier, decay = (2.0, 0.0) if name.endswith("bias") else (1.0, settings.weight_decay)
            expected[name] = p.detach() - settings.lr * multiplier * (p.grad + decay * p.detach())

    trainer.watch = by_hand
    trainer.run()
    assert trainer.step == 1
    for name, p in trainer.network.named_parameters():
        assert_close(p, expected[name], 1e-6)


def test_weights_begin_as_caffes_xavier_with_biases_of_a_fifth() -> None:
    network = init_weights(GoogLeNet(variants.paper(5)), 1, PAPER.initialisation)
    large = 0
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            bound = math.sqrt(3 / fan_in)  # Caffe's XavierFiller with its default, FAN_IN
            weight = module.weight.detach()
            assert float(weight.abs().max()) / bound < 1.000001
            if weight.numel() > 20_000:
                large += 1
                assert float(weight.abs().max()) > 0.99 * bound
                assert float(weight.var()) == pytest.approx(1 / fan_in, rel=0.05)
            bias = 0.0 if name.endswith("classifier") else 0.2
            assert_close(module.bias, np.full(len(module.bias), bias), 1e-6)
    assert large > 20


def test_patches_have_the_papers_areas_and_aspects() -> None:
    """Every pixel's colour says where it lies, so that the view itself tells what was cut out."""
    across = np.broadcast_to(np.arange(256), (256, 256))
    places = Image.fromarray(np.stack([across, across.T, 0 * across], 2).astype(np.uint8))
    draw = partial(RandomResizedCrop.get_params, torch.empty(3, 256, 256), [0.08, 1.0], [3 / 4, 4 / 3])
    torch.manual_seed(0)
    drawn = [height * width / 256**2 for _, _, height, width in (draw() for _ in range(4000))]
    areas, aspects = [], []
    for view in seen(places, 400, **STILL):
        middle = view[:, SIDE // 4 :: SIDE // 2, SIDE // 4 :: SIDE // 2]  # two positions a side, half the patch apart
        width = 2 * float((middle[0, 0, 1] - middle[0, 0, 0]).abs())
        height = 2 * float((middle[1, 1, 0] - middle[1, 0, 0]).abs())
        areas.append(width * height / 256**2)
        aspects.append(width / height)
    assert 0.07 < min(areas) < 0.1
    assert 0.95 < max(areas) < 1.05
    assert np.mean(areas) == pytest.approx(np.mean(drawn), rel=0.08)
    assert np.std(areas) == pytest.approx(np.std(drawn), rel=0.08)
    assert 0.72 < min(aspects) < 0.78
    assert 1.3 < max(aspects) < 1.39


def test_patches_are_resized_in_one_of_four_ways_equally_often() -> None:
    noise = grey(np.random.default_rng(0).integers(0, 256, (97, 97)))
    ways = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
            "bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}  # fmt: skip
    both = (noise, noise.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    expected = {name: [np.asarray(one.resize((SIDE, SIDE), way)) for one in both] for name, way in ways.items()}
    found: Counter[str] = Counter()
    for view in seen(noise, 200, **STILL, min_area=1.0, max_aspect=1.0):
        pixels = view.permute(1, 2, 0).numpy()
        found.update(name for name, pair in expected.items() if any(np.array_equal(pixels, one) for one in pair))
    assert found.total() == 200
    assert all(30 < found[name] < 70 for name in ways)


def test_brightness_contrast_and_colour_change_by_up_to_a_half() -> None:
    two = np.full((SIDE, SIDE), 100)
    two[:, SIDE // 2 :] = 156
    brightness, contrast = [], []
    for view in seen(grey(two), 200, lighting=0.0, **WHOLE):
        brightness.append(float(view.mean()) / 128)
        contrast.append(float(view.max() - view.min()) / 56 / brightness[-1])
        assert torch.equal(view[0], view[1])  # grey stays grey
    for factors in (brightness, contrast):
        assert 0.48 < min(factors) < 0.55
        assert 1.45 < max(factors) < 1.52
        assert np.mean(factors) == pytest.approx(1, rel=0.06)
    flat = Image.new("RGB", (SIDE, SIDE), (100, 120, 140))
    # On one colour both contrast and saturation move it to and from its grey: their product shows.
    chroma = [
        float(view[2].mean() - view[0].mean()) / 40 / (float(view.mean()) / 120)
        for view in seen(flat, 200, lighting=0.0, **WHOLE)
    ]
    assert 0.2 < min(chroma) < 0.45
    assert 1.6 < max(chroma) < 2.35


def test_lighting_varies_along_the_principal_components_of_colour() -> None:
    components, variances = torch.tensor(COLOUR_COMPONENTS), torch.tensor(COLOUR_VARIANCES)
    assert relative_norm(components.T @ components, torch.eye(3)) < 1e-3
    middle, light = torch.full((3, 1, 1), 128, dtype=torch.uint8), Lighting(0.4)
    torch.manual_seed(0)
    drawn = torch.stack([light(middle).flatten().float() for _ in range(4000)])
    expected = components @ torch.diag((0.4 * 255 * variances) ** 2) @ components.T
    assert relative_norm(torch.cov(drawn.T), expected) < 0.08
    same = light(torch.full((3, 5, 7), 128, dtype=torch.uint8))
    assert torch.equal(same, same[:, :1, :1].expand(3, 5, 7)), "one light for the whole image"
    white, black = (Lighting(9.0)(torch.full((3, 2, 2), value, dtype=torch.uint8)) for value in (255, 0))
    assert white.dtype is black.dtype is torch.uint8


def test_the_input_has_the_mean_subtracted_and_nothing_else() -> None:
    rgb = torch.rand(2, 3, 4, 4)
    expected = rgb * 255 - torch.tensor([123.0, 117.0, 104.0])[:, None, None]
    assert_close(views(224, PAPER).normalise(rgb), expected, 1e-6)


def test_polyak_averaging_is_the_mean_of_the_steps_after_half_of_the_run(parquet: Path, tmp_path: Path) -> None:
    settings = config(stages=(Stage(32, 11 / 6),), polyak_from=0.5)
    trainer = trainer_for(parquet, tmp_path, settings)
    update, steps = trainer.average.update_parameters, []

    def remember(network: GoogLeNet) -> None:
        steps.append({name: value.clone() for name, value in network.state_dict().items()})
        update(network)

    trainer.average.update_parameters = remember  # type: ignore[method-assign]
    averaged = trainer.run().state_dict()
    assert len(steps) == 11
    for name in ("conv1.conv.weight", "4c.3x3.bn.running_var", "classifier.bias"):
        mean = torch.stack([state[name] for state in steps[5:]]).mean(0)
        assert_close(averaged[name], mean, 1e-5)
        assert relative_norm(averaged[name], steps[-1][name]) > 1e-4


def test_the_recipe_trains_from_the_command_line_and_its_file_says_what_it_takes(parquet: Path, tmp_path: Path) -> None:
    command = ["train", "--data", str(parquet), "--out", str(tmp_path), "--recipe", "paper", "--spec", "tiny"]
    quick = ["--stages", "32:1", "--batch", "8", "--holdout", "6", "--workers", "0", "--no-bf16", "--device", "cpu"]
    assert main(command + quick) == 0
    found = load(tmp_path / "checkpoint.safetensors")
    assert found.spec == variants.tiny(3)
    assert found.preprocessing == dataclasses.replace(views(32, PAPER), size=32)
    assert found.preprocessing.mean == (123.0, 117.0, 104.0)
    rates = {row["lr"] for row in map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines()) if "lr" in row}
    assert rates == {0.01}


def test_network_in_network_trains_from_the_command_line(parquet: Path, tmp_path: Path) -> None:
    command = ["train", "--data", str(parquet), "--out", str(tmp_path), "--spec", "nin", "--stages", "32:0.1"]
    assert main([*command, "--batch", "4", "--workers", "0", "--no-bf16", "--device", "cpu", "--seed", "3"]) == 0
    found = load_nin(tmp_path / "checkpoint.safetensors")
    assert found.network.spec == nin(3, 32)
    start = init_weights(NetworkInNetwork(nin(3, 32)), 3).state_dict()
    moved = {name: relative_norm(value, start[name]) for name, value in found.network.state_dict().items()}
    assert all(0 < moved[name] < 1 for name in moved if name.endswith("weight"))


def test_a_run_that_was_begun_before_a_setting_existed_goes_on(parquet: Path, tmp_path: Path) -> None:
    trainer_for(parquet, tmp_path, config(stages=(Stage(32, 0.4),))).run()
    state = torch.load(tmp_path / LAST, weights_only=True)
    told = json.loads(state["config"])
    for name in ("polyak_from", "lighting", "aux_weight", "initialisation", "interpolations"):
        assert told.pop(name) == json.loads(json.dumps(getattr(TrainingConfig(), name)))
    torch.save({**state, "config": json.dumps(told)}, tmp_path / LAST)
    again = trainer_for(parquet, tmp_path, config(stages=(Stage(32, 0.4),)))
    again.resume()
    assert again.step == again.total_steps


def test_a_run_begun_before_biases_had_a_rate_goes_on_without_one(parquet: Path, tmp_path: Path) -> None:
    """The same command asks for another rate than the run was begun with, since the recipe has got it."""
    before = config(stages=(Stage(32, 0.4),))
    trainer_for(parquet, tmp_path, before).run()
    state = torch.load(tmp_path / LAST, weights_only=True)
    told = json.loads(state["config"])
    del told["bias_rate"]
    old = {**state["optimizer"], "param_groups": [dict(group) for group in state["optimizer"]["param_groups"]]}
    for group in old["param_groups"]:
        del group["rate"]
    assert len(old["param_groups"]) == 2
    torch.save({**state, "optimizer": old, "config": json.dumps(told)}, tmp_path / LAST)
    again = trainer_for(parquet, tmp_path, dataclasses.replace(before, bias_rate=2.0))
    again.resume()
    assert again.step == again.total_steps
    assert [group["rate"] for group in again.optimizer.param_groups] == [1.0, 1.0]
    again._save()
    once_more = trainer_for(parquet, tmp_path, dataclasses.replace(before, bias_rate=2.0))
    once_more.resume()
    assert once_more.step == once_more.total_steps, "the same command goes on again and again"
    assert [group["rate"] for group in once_more.optimizer.param_groups] == [1.0, 1.0]
    other = trainer_for(parquet, tmp_path, dataclasses.replace(before, lr=0.5))
    with pytest.raises(TrainingError, match="of a run with other settings"):
        other.resume()


def test_no_average_over_all_steps_can_be_asked_for() -> None:
    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())

    def asked(*words: str) -> TrainingConfig:
        return train.config_from(parser.parse_args(["train", "--data", "d", "--out", "o", *words]))

    assert asked("--recipe", "paper").polyak_from == 0.5
    assert asked("--recipe", "paper", "--polyak-from", "none").polyak_from is None
    assert asked("--polyak-from", "0.25", "--bias-rate", "2") == TrainingConfig(polyak_from=0.25, bias_rate=2.0)
    assert asked() == TrainingConfig()
    with pytest.raises(SystemExit):
        asked("--polyak-from", "nobody")


def test_members_of_an_ensemble_begin_with_equal_weights(parquet: Path, tmp_path: Path) -> None:
    """README's recipe: a step at rate 0 keeps the start, from which every seed begins with another order."""
    command = ["train", "--data", str(parquet), "--recipe", "paper", "--spec", "tiny", "--batch", "8", "--lr", "0"]
    quick = ["--stages", "32:1", "--limit", "8", "--workers", "0", "--no-bf16", "--device", "cpu"]
    assert main([*command, *quick, "--out", str(tmp_path / "start")]) == 0
    start = load(tmp_path / "start" / "checkpoint.safetensors").state
    drawn = init_weights(GoogLeNet(variants.tiny(3)), PAPER.seed, PAPER.initialisation).state_dict()
    for name, value in start.items():
        assert torch.equal(value.half(), drawn[name].half())
    for seed in ("1", "2"):
        from_it = ["--start", str(tmp_path / "start" / "checkpoint.safetensors"), "--seed", seed]
        assert main([*command, *quick, *from_it, "--out", str(tmp_path / seed)]) == 0
        member = load(tmp_path / seed / "checkpoint.safetensors").state
        assert all(torch.equal(member[name], start[name]) for name in start)
    orders = [list(batches(48, 8, 0, 6, seed)) for seed in (1, 2)]
    assert orders[0] != orders[1]


def test_a_run_without_held_out_images_says_what_it_lacks(
    parquet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--data", str(parquet), "--recipe", "paper", "--spec", "tiny", "--stages", "32:0.1"]
    quick = ["--batch", "8", "--workers", "0", "--no-bf16", "--device", "cpu"]
    assert main([*command, *quick, "--out", str(tmp_path / "a")]) == 0
    assert "no images are held out: the file will have no accuracy and no curve" in capsys.readouterr().out
    assert main([*command, *quick, "--out", str(tmp_path / "b"), "--holdout", "6"]) == 0
    assert "held out" not in capsys.readouterr().out
    assert load(tmp_path / "b" / "checkpoint.safetensors").accuracy
