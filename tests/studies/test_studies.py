"""Studies: equal multiply-adds and equal time, intervals, and runs that go on, on networks of a few channels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.cli import main
from inception_model.studies import registry, running
from inception_model.studies.registry import STUDIES, Study
from inception_model.studies.results import StudyResults, load_results, mean_of
from inception_model.studies.running import Plan, run_study
from inception_model.training.augmentation import RandomViews, View, view_seed
from inception_model.training.data import DatasetError, LabelledImages, open_dataset
from inception_model.training.recipe import STUDY, Stage
from inception_model.training.run_folder import TrainingError
from inception_model.training.trainer import StoppedError, batches, views
from tests.training.runs import coloured

SEEDS = (0, 1)
WIDTH = 0.06


@pytest.mark.parametrize("study", STUDIES)
def test_torchs_counter_agrees_with_every_networks_cost(study: str) -> None:
    for variant in STUDIES[study].variants(20, 64, 0.5):
        with torch.device("meta"):
            network = variant.build().eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 64, 64, device="meta"))
        assert counter.get_total_flops() == 2 * variant.cost.macs
        trained = sum(p.numel() for name, p in network.named_parameters() if not name.startswith("aux"))
        assert trained == variant.cost.params_trained
    assert STUDIES[study].base in {variant.name for variant in STUDIES[study].variants(20, 64, 0.5)}


def test_networks_with_fewer_1x1_layers_are_widened_to_equal_multiply_adds() -> None:
    *others, full = STUDIES["one-by-one"].variants(200, 64, 0.5)
    for other in others:
        assert other.cost.macs == pytest.approx(full.cost.macs, rel=0.01)
    kernels = [[unit.conv.kernel_size[0] for _, unit in v.build().conv_units()] for v in (*others, full)]
    assert kernels == [[5, 5, 3], [5, 1, 5, 1, 3, 1], [5, 1, 1, 5, 1, 1, 3, 1, 1]]


def test_the_interval_over_seeds_is_students() -> None:
    values = [0.31, 0.35, 0.29, 0.36]
    found = mean_of(values)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(np.mean(values), rel=1e-12)
    assert found.interval == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert mean_of([0.3]).interval is None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for split, count in (("train", 8), ("validation", 2)):
        for label in range(3):
            folder = root / split / f"c{label}"
            folder.mkdir(parents=True)
            for index in range(count):
                coloured(label, rng).resize((32, 32), Image.Resampling.BOX).save(folder / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def images(data: Path) -> tuple[LabelledImages, LabelledImages]:
    return open_dataset(data, "train"), open_dataset(data, "validation")


@pytest.fixture(scope="module", autouse=True)
def short() -> None:
    """Two of the four weights are enough to compare."""
    patch = pytest.MonkeyPatch()
    patch.setattr(registry, "AUX_WEIGHTS", (0.0, 0.3))
    yield
    patch.undo()


def plan(images: tuple[LabelledImages, LabelledImages], study: str = "auxiliary") -> Plan:
    config = replace(STUDY, stages=(Stage(32, 1.0),), batch=8, warmup_steps=1, lr=0.02)
    return Plan(study, 3, *images, "hash of the images", WIDTH, config, torch.device("cpu"))


@pytest.fixture(scope="module")
def whole(images: tuple[LabelledImages, LabelledImages], tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """The study of the auxiliary losses from beginning to end."""
    return run_study(plan(images), SEEDS, tmp_path_factory.mktemp("whole") / "auxiliary.json")


def without_seconds(found: StudyResults) -> list[object]:
    return [replace(run, seconds=0) for run in found.runs]


def test_every_network_runs_with_every_seed_and_the_file_says_so(whole: StudyResults) -> None:
    assert [(run.seed, run.variant) for run in whole.runs] == [
        (seed, f"weight {weight:g}") for seed in SEEDS for weight in (0.0, 0.3)
    ]
    assert whole.file is not None
    assert load_results(whole.file) == whole
    assert not list(whole.file.parent.glob("*.runs"))
    for run in whole.runs:
        assert run.steps == 3
        assert run.curve[-1] == (3, run.top1)
        assert [step for step, _ in run.gradients["3a"]] == [0, 1, 2]
    assert "24 training images of 3 classes at 32 px, 1 epoch;" in whole.described


def test_the_gradient_is_that_of_the_whole_loss_with_the_weight(
    whole: StudyResults, images: tuple[LabelledImages, LabelledImages]
) -> None:
    """Before the first step, by plain autograd on the first batch."""
    asked = plan(images)
    for variant, weight in zip(asked.variants(), (0.0, 0.3), strict=True):
        network = init_weights(variant.build(), 1).train()
        (first,) = batches(24, 8, 0, 1, seed=1)
        shown = RandomViews(images[0], View(Stage(32, 1.0), asked.config), 1)
        pixels, labels = zip(*(shown[0, index] for index in first), strict=True)
        x, truth = views(32, asked.config).normalise(torch.stack(pixels).float() / 255), torch.tensor(labels)
        torch.manual_seed(view_seed(1, 0, 24))  # the run's dropout
        heads = network.forward_heads(x)
        loss = F.cross_entropy(heads.main, truth)
        for aux in (heads.aux1, heads.aux2):
            loss = loss + weight * F.cross_entropy(aux, truth)
        found = torch.autograd.grad(loss, list(network.block("4a").parameters()))
        norm = torch.cat([gradient.flatten() for gradient in found]).norm()
        measured = dict(whole.of(variant.name)[1].gradients["4a"])[0]
        assert float(norm) == pytest.approx(measured, rel=1e-4)


def test_differences_are_taken_seed_by_seed(whole: StudyResults) -> None:
    base, other = whole.summaries()
    assert base.difference is None
    pairs = [b.top1 - a.top1 for a, b in zip(whole.of("weight 0"), whole.of("weight 0.3"), strict=True)]
    assert other.difference == mean_of(pairs)
    logs = [
        np.mean([np.log(b / a) for (_, a), (_, b) in zip(one.gradients["3a"], two.gradients["3a"], strict=True)])
        for one, two in zip(whole.of("weight 0"), whole.of("weight 0.3"), strict=True)
    ]
    assert other.gradients["3a"].value == pytest.approx(np.exp(np.mean(logs)), rel=1e-6)


def test_a_study_that_is_stopped_goes_on_and_ends_alike(
    whole: StudyResults, images: tuple[LabelledImages, LabelledImages], tmp_path: Path
) -> None:
    asked: list[int] = []
    file = tmp_path / "auxiliary.json"
    with pytest.raises(StoppedError):
        run_study(plan(images), (0,), file, stop=lambda: len(asked) == 4 or asked.append(1) is not None)
    assert len(load_results(file).runs) == 1
    assert (tmp_path / "auxiliary.runs" / "0-1" / "last.pt").is_file()
    done: list[tuple[str, int]] = []
    found = run_study(plan(images), (0,), file, told=lambda run, *_: done.append((run.variant, run.seed)))
    assert done == [("weight 0.3", 0)]
    assert without_seconds(found) == without_seconds(whole)[:2]


def test_a_file_of_other_settings_and_what_is_no_file_are_refused(
    whole: StudyResults, images: tuple[LabelledImages, LabelledImages], tmp_path: Path
) -> None:
    file = Path(shutil.copy(str(whole.file), tmp_path / "auxiliary.json"))
    with pytest.raises(DatasetError, match=r"other settings \(width 0.06 there, 0.1 here\)"):
        run_study(replace(plan(images), width=0.1), SEEDS, file)
    told = json.loads(file.read_text())
    changes: list[Callable[[], object]] = [
        lambda: told["runs"][0].update(top1=1.5),
        lambda: told["runs"][0].update(variant="another"),
        lambda: told["settings"].pop("images"),
        lambda: told.update(more=1),
    ]
    for change in changes:
        told = json.loads(Path(str(whole.file)).read_text())
        change()
        file.write_text(json.dumps(told))
        with pytest.raises(CheckpointError, match="no result of `study`"):
            load_results(file)
    with pytest.raises(DatasetError, match="name another file"):
        run_study(plan(images), SEEDS, file)
    with pytest.raises(DatasetError, match="no images to measure on"):
        run_study(replace(plan(images), measured=images[1].take([])), SEEDS, tmp_path / "new.json")


def test_equal_time_gives_a_slow_network_fewer_steps(
    images: tuple[LabelledImages, LabelledImages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, slow = STUDIES["naive"].variants(3, 32, WIDTH)[-2:]
    monkeypatch.setitem(STUDIES, "naive", Study("", lambda *_: (fast, slow), fast.name, equal="time"))
    pace = running.measured_pace((fast, slow), plan(images, "naive"))
    assert set(pace) == {fast.name, slow.name}
    assert all(seconds > 0 for seconds in pace.values())
    monkeypatch.setattr(running, "measured_pace", lambda *_: {fast.name: 0.01, slow.name: 0.03})
    found = run_study(plan(images, "naive"), (0,), tmp_path / "naive.json")
    assert {run.variant: run.steps for run in found.runs} == {fast.name: 3, slow.name: 1}
    assert [row.series for row in found.summaries()] == ["reduced", "naive"]
    assert "as long as reduced x 1 takes" in found.described


def test_the_command_prints_a_table_and_takes_more_seeds_later(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = STUDIES["pooling"].variants
    monkeypatch.setitem(STUDIES, "pooling", replace(STUDIES["pooling"], variants=lambda *a: some(*a)[:2]))
    command = ["study", "pooling", str(data), "--out", str(tmp_path / "pooling.json"), "--device", "cpu"]
    quick = ["--size", "32", "--epochs", "1", "--width", "0.05", "--batch", "8", "--classes", "2", "--limit", "9"]
    assert main([*command, *quick, "--seeds", "1"]) == 0
    said = capsys.readouterr().out
    assert "[2/2] fully connected, seed 0: top-1" in said
    assert "One seed: there are no intervals." in said
    assert main([*command, *quick, "--seeds", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["variant"], row["top1"]["count"]) for row in rows] == [("average pooling", 2), ("fully connected", 2)]
    told = load_results(tmp_path / "pooling.json")
    assert (told.settings["images"], told.settings["measured"], told.settings["classes"]) == (9, 4, 2)
    assert main([*command, *quick, "--seeds", "0"]) == 2
    assert "--seeds must be at least 1" in capsys.readouterr().err


def test_a_run_that_diverges_is_told(images: tuple[LabelledImages, LabelledImages], tmp_path: Path) -> None:
    asked = plan(images)
    with pytest.raises(TrainingError, match="smaller --lr"):
        run_study(replace(asked, config=replace(asked.config, lr=1e30, clip=0.0)), (0,), tmp_path / "a.json")
