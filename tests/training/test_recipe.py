"""What a run does at which step: batches, learning rates, stages and views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inception_model.training.augmentation import RandomViews, View
from inception_model.training.data import open_dataset
from inception_model.training.recipe import RECIPES, Stage, learning_rate, parse_stages
from inception_model.training.trainer import batches
from tests.training.runs import config


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


def test_the_recipe_of_the_bundled_network_is_one_cycle_with_growing_sizes() -> None:
    recipe = RECIPES["tiny-imagenet"]
    sizes = [stage.size for stage in recipe.stages]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 224
    assert [stage.tune for stage in recipe.stages] == [False] * (len(sizes) - 1) + [True]
    assert 47 <= sum(stage.epochs for stage in recipe.stages) <= 58
    assert recipe.holdout == 5000
