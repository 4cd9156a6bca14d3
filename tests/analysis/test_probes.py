"""Linear probes: what they see, that training finds the optimum, their files, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from scipy.stats import rankdata

from inception_model.analysis import probes as analysis_probes
from inception_model.analysis.probes import (
    Probe,
    Probes,
    collect_features,
    fit,
    load_probes,
    minimise,
    pooled,
    probe_logits,
    probes_path,
    save_probes,
)
from inception_model.analysis.timeline import Timeline, timeline
from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError
from inception_model.checkpoints.store import load, save
from inception_model.cli import main
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.trace import Trace, capture
from inception_model.training.data import open_dataset
from inception_model.training.evaluation import HeadAccuracy
from inception_model.training.holdout import hold_out
from tests.analysis.colours import COLOURS
from tests.checkpoints.hostile.safetensors_files import safetensors
from tests.compare import relative_norm
from tests.random_networks import noise_images, random_classifier, random_probes

Relative = Callable[[torch.Tensor, torch.Tensor], float]


@pytest.fixture(scope="module")
def trace(tiny_classifier: Classifier) -> Trace:
    return capture(tiny_classifier, noise_images(2))


@pytest.fixture(scope="module")
def line(tiny_classifier: Classifier, trace: Trace) -> Timeline:
    return timeline(tiny_classifier, trace, 4, probes=random_probes(tiny_classifier))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random network's file that knows the three colours."""
    labels = tuple(Label(index, name, name) for index, name in enumerate(COLOURS))
    path = tmp_path_factory.mktemp("network") / "small.safetensors"
    save(replace(random_classifier(tiny(3)).checkpoint, labels=labels), path)
    return path


def test_a_probe_sees_torchs_average_pool(trace: Trace, relative: Relative) -> None:
    for name, block in trace.blocks.items():
        assert relative(pooled(trace, name), F.adaptive_avg_pool2d(block.output, 1).flatten(1)) < 1e-6


def test_mains_own_weights_as_a_probe_give_mains_logits(
    bundled_classifier: Classifier, cat, relative: Relative
) -> None:  # type: ignore[no-untyped-def]
    linear = bundled_classifier.network.classifier
    seen = capture(bundled_classifier, bundled_classifier.prepare(cat.image))
    probe = Probe(linear.weight, linear.bias, 0.0, HeadAccuracy(0.0, 0.0))
    logits = probe_logits(Probes("", {"5b": probe}, 0, 0, ""), seen)
    assert list(logits) == ["5b"]
    assert relative(logits["5b"], seen.logits("main")) < 1e-5


def test_collected_features_are_those_of_a_trace(network: Path, coloured: Path, relative: Relative) -> None:
    classifier, images = build(load(network), "cpu"), open_dataset(coloured, "validation").first(5)
    steps: list[tuple[int, int]] = []
    found = collect_features(classifier, images, batch=2, progress=lambda *step: steps.append(step))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    assert found.labels.tolist() == images.labels.tolist()
    for i in range(5):
        seen = capture(classifier, classifier.prepare(images[i][0]))
        for name, values in found.values.items():
            assert relative(values[i].float(), pooled(seen, name)[0]) < 1e-3, "float16 keeps three digits"


def overlapping(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Three Gaussian clouds of equal shape in five dimensions, which overlap."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    centres = np.array([[1.5, 0, 0, 0, 0], [0, 1.5, 0, 0, 0], [0, 0, 1.5, 0, 0]])
    return torch.tensor(centres[labels] + rng.normal(size=(count, 5)), dtype=torch.float32), torch.tensor(labels)


def test_training_finds_scipys_minimum(relative: Relative) -> None:
    x, labels = overlapping(300)
    decay, inputs, truth = 0.01, x.double().numpy(), np.eye(3)[labels.numpy()]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = flat[:15].reshape(3, 5), flat[15:]
        logits = inputs @ weight.T + bias
        error = (softmax(logits, axis=1) - truth) / len(inputs)
        value = -(truth * log_softmax(logits, axis=1)).sum() / len(inputs) + decay / 2 * (weight**2).sum()
        return value, np.concatenate([(error.T @ inputs + decay * weight).ravel(), error.sum(axis=0)])

    wanted = minimize(loss, np.zeros(18), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    weight, bias = minimise(x, labels, decay, torch.zeros(3, 5), torch.zeros(3))
    # One number added to every bias changes no probability.
    found = torch.cat([weight.flatten(), bias - bias.mean()])
    assert relative(found, torch.tensor([*wanted[:15], *(wanted[15:] - wanted[15:].mean())])) < 2e-3


def test_a_fitted_probe_is_as_good_as_bayes() -> None:
    """For clouds of equal shape the best classifier of all is linear: the nearest centre."""
    x, labels = overlapping(2000)
    new, truth = overlapping(4000, seed=1)
    # Scales and offsets as different as channels have them, and one channel that never changes.
    scale, offset = torch.tensor([1e-3, 1.0, 30.0, 1.0, 5.0]), torch.tensor([0.0, 3.0, -50.0, 0.0, 1.0])
    features, others = (torch.cat([v * scale + offset, torch.full((len(v), 1), 0.7)], dim=1) for v in (x, new))
    weight, bias, decay = fit(features, labels, 3)
    found = (F.linear(others, weight, bias).argmax(dim=1) == truth).float().mean()
    best = (
        torch.stack([(new - 1.5 * torch.eye(3, 5)[k]).norm(dim=1) for k in range(3)]).argmin(dim=0) == truth
    ).float()
    assert float(found) > float(best.mean()) - 0.015
    assert 0.6 < float(best.mean()) < 0.9
    assert weight[:, 5].abs().max() == 0
    assert torch.equal(weight, weight.half().float())
    assert decay < 0.1


def test_weight_decay_grows_where_there_is_nothing_to_learn() -> None:
    x, labels = overlapping(120)
    shuffled = labels[torch.randperm(120, generator=torch.Generator().manual_seed(0))]
    assert fit(x, shuffled, 3)[2] > fit(x, labels, 3)[2]


def test_files_give_back_what_was_saved(tiny_classifier: Classifier, tmp_path: Path) -> None:
    checkpoint = replace(tiny_classifier.checkpoint, sha256="a" * 64)
    probes = random_probes(tiny_classifier, checkpoint.sha256)
    save_probes(probes, tmp_path / "x.probes.safetensors")
    found = load_probes(tmp_path / "x.probes.safetensors", checkpoint)
    assert (found.sha256, found.training, found.validation, found.source) == ("a" * 64, 42, 21, "made of noise")
    assert list(found.modules) == list(checkpoint.spec.module_names)
    for name, probe in probes.modules.items():
        assert torch.equal(found.modules[name].weight, probe.weight)
        assert torch.equal(found.modules[name].bias, probe.bias)
        assert found.modules[name].accuracy == probe.accuracy
        assert found.modules[name].decay == probe.decay


def test_probes_of_another_checkpoint_are_refused(tiny_classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "x.probes.safetensors"
    checkpoint = replace(tiny_classifier.checkpoint, sha256="b" * 64)
    save_probes(random_probes(tiny_classifier, "a" * 64), path)
    with pytest.raises(CheckpointError, match=r"aaaaaaaaaaaa.*random has bbbbbbbbbbbb.*probe"):
        load_probes(path, checkpoint)


def spoilt(probes: Probes, how: str) -> Probes:
    last = probes.modules["5b"]
    if how == "missing":
        return replace(probes, modules={k: v for k, v in probes.modules.items() if k != "4c"})
    wrong = {"shape": last.weight[:, 1:], "not finite": torch.full_like(last.weight, torch.inf)}[how]
    return replace(probes, modules={**probes.modules, "5b": replace(last, weight=wrong)})


@pytest.mark.parametrize(
    ("how", "words"), [("missing", "4c"), ("shape", r"5b\.weight has \(7, 63\)"), ("not finite", "5b")]
)
def test_damaged_files_are_refused(tiny_classifier: Classifier, tmp_path: Path, how: str, words: str) -> None:
    path = tmp_path / "x.probes.safetensors"
    save_probes(spoilt(random_probes(tiny_classifier), how), path)
    with pytest.raises(CheckpointError, match=f"damaged .*{words}"):
        load_probes(path, tiny_classifier.checkpoint)


HOSTILE = {
    "modules that are a text": ({"modules": '"abc"'}, "its table of modules is a text"),
    "modules 5,000 deep": ({"modules": "[" * 5000 + "]" * 5000}, "nested too deeply"),
    "modules of nothing": ({"modules": "{}"}, "its line of 3a is nothing"),
    "a share in words": ({"modules": '{"3a": {"decay": 1, "top1": "0.4", "top5": 0.7}}'}, "top1 of 3a is a text"),
    "a share of NaN": ({"modules": '{"3a": {"decay": 1, "top1": NaN, "top5": 0.7}}'}, "no finite number"),
    "a share of 2": ({"modules": '{"3a": {"decay": 1, "top1": 2, "top5": 0.7}}'}, "top1 of 3a is 2"),
    "a decay of a list": ({"modules": '{"3a": {"decay": [], "top1": 0, "top5": 0}}'}, "the decay of 3a is a list"),
    "images in words": ({"images": '["root:x:0:0", 1]'}, "a number of images is a text"),
    "one number of images": ({"images": "[1]"}, "1 numbers of images"),
    "a source of a million letters": ({"source": "x" * 10**6}, "source has 1,000,000 characters"),
    "another checkpoint's words": ({"checkpoint": "root:x:0:0:root"}, "sha256 a name of 12 characters"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_probes_are_refused(name: str, tiny_classifier: Classifier, tmp_path: Path) -> None:
    texts, said = HOSTILE[name]
    path = tmp_path / "x.probes.safetensors"
    checkpoint = replace(tiny_classifier.checkpoint, sha256="a" * 64)
    save_probes(random_probes(tiny_classifier, "a" * 64), path)
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    header["__metadata__"] |= texts
    path.write_bytes(safetensors(header, raw[end:]))
    with pytest.raises(CheckpointError, match=said) as caught:
        load_probes(path, checkpoint)
    assert "root:x" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_other_files_are_no_probes(network: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no file of probes"):
        load_probes(network, load(network))
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(CheckpointError, match="can't be used"):
        load_probes(tmp_path / "text.safetensors", load(network))


def test_where_probes_lie(network: Path) -> None:
    assert probes_path(network) == network.with_name("small.probes.safetensors")
    assert probes_path("tiny-imagenet").parent.name == "checkpoints"
    assert probes_path("torchvision-imagenet").name.endswith(".probes.safetensors")


def test_the_bundled_probes_are_of_the_bundled_network(bundled_checkpoint: Checkpoint) -> None:
    probes = load_probes(probes_path("tiny-imagenet"), bundled_checkpoint)
    card = bundled_checkpoint.card
    for name, probe in probes.modules.items():
        assert f"| {name} | {probe.accuracy.top1:.1%} | {probe.accuracy.top5:.1%} |" in card
    right = [probe.accuracy.top1 for probe in probes.modules.values()]
    assert right[0] < right[2] < right[5] < right[8], "the classes come apart with the depth"


def test_the_command_writes_what_it_prints(
    network: Path, coloured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.probes.safetensors"
    options = [
        "--data",
        str(coloured),
        "--out",
        str(out),
        "--checkpoint",
        str(network),
        "--device",
        "cpu",
        "--batch",
        "5",
        "--holdout",
        "0",
    ]
    assert main(["probe", *options, "--limit-per-class", "6", "--val-limit", "9", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == {"training": 18, "validation": 9}
    probes = load_probes(out, load(network))
    assert (probes.training, probes.validation) == (18, 9)
    assert {name: row["top1"] for name, row in told["modules"].items()} == {
        name: probe.accuracy.top1 for name, probe in probes.modules.items()
    }
    assert probes.modules["3a"].accuracy.top1 == 1, "colours are told apart by any random network"
    # What was measured is what the file says, on the same images one by one.
    classifier, images = build(load(network), "cpu"), open_dataset(coloured, "validation")
    for i in range(0, len(images), 4):
        logits = probe_logits(probes, capture(classifier, classifier.prepare(images[i][0])))
        assert int(logits["3a"].argmax()) == images[i][1]
    assert main(["probe", *options, "--limit-per-class", "2"]) == 0
    assert "6 training images, 12 validation images" in capsys.readouterr().out


def test_held_out_images_choose_the_weight_decay_and_are_not_learnt_from(
    network: Path, coloured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose, seen = analysis_probes._choose_decay, list[tuple[torch.Tensor, ...]]()

    def spy(*given: Any) -> Any:
        seen.append(given[:4])
        return choose(*given)

    monkeypatch.setattr(analysis_probes, "_choose_decay", spy)
    out = tmp_path / "small.probes.safetensors"
    options = ["--data", str(coloured), "--out", str(out), "--checkpoint", str(network), "--device", "cpu"]
    assert main(["probe", *options, "--holdout", "6", "--limit-per-class", "2"]) == 0
    rest, held_out = hold_out(open_dataset(coloured, "train"), 6)
    assert held_out is not None
    classifier = build(load(network), "cpu")
    learnt, kept = (collect_features(classifier, each) for each in (rest.first_of_each(2), held_out))
    for (x, labels, held, held_labels), name in zip(seen, learnt.values, strict=True):
        deviation, mean = torch.std_mean(learnt.values[name].float(), 0, correction=0)
        assert labels.tolist() == [0, 0, 1, 1, 2, 2]
        assert held_labels.tolist() == held_out.labels.tolist() == [0, 0, 1, 1, 2, 2]
        assert x.shape == held.shape
        varies = x.abs().amax(0) > 0  # other channels get no weight
        wanted = (kept.values[name].float() - mean)[:, varies]
        assert relative_norm((held * deviation)[:, varies], wanted) < 1e-3
    probes = load_probes(out, load(network))
    assert (probes.training, probes.validation) == (6, 12)
    assert "chosen on 6 held-out training images" in probes.source


def test_the_command_refuses_what_makes_no_sense(
    network: Path, coloured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(coloured), "--out", "x"]
    assert main(["probe", *options, "--checkpoint", str(network), "--limit-per-class", "0"]) == 2
    assert "--limit-per-class must be at least 1" in capsys.readouterr().err
    assert main(["probe", *options]) == 2
    assert "are not among the 200" in capsys.readouterr().err


def test_the_first_images_of_each_class(coloured: Path) -> None:
    images = open_dataset(coloured, "train")
    assert images.first_of_each(2).labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.first_of_each(2).encoded == [images.encoded[i] for i in (0, 1, 8, 9, 16, 17)]
    assert images.first_of_each(None) is images


def test_the_line_reads_every_probe(tiny_classifier: Classifier, trace: Trace, line: Timeline) -> None:
    probes = random_probes(tiny_classifier)
    assert [(step.module, step.depth) for step in line.probes] == [(n, i) for i, n in enumerate(tiny().module_names, 1)]
    for step in line.probes:
        probe = probes.modules[step.module]
        logits = pooled(trace, step.module)[0].double() @ probe.weight.double().T + probe.bias.double()
        shares = softmax(logits.numpy())
        assert step.probability == pytest.approx(shares[4], rel=1e-4)
        assert step.rank == rankdata(-shares, method="min")[4]
        assert step.answer.index == shares.argmax()
        assert step.accuracy == probe.accuracy
    ranks = [step.rank for step in line.probes]
    first = line.first_probe
    assert (first.depth if first else 0) == (ranks.index(1) + 1 if 1 in ranks else 0)
    plain = timeline(tiny_classifier, trace, 4)
    assert plain.probes == ()
    assert (plain.steps, plain.divergences) == (line.steps, line.divergences)
