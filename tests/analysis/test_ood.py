"""Scores of how unlike a photo is to the training classes: their values, their AUROC, their file, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, softmax
from scipy.stats import mannwhitneyu

from inception_model.analysis import ood, ood_file
from inception_model.analysis.ood import FALSE_ALARMS, FOLDS, SCORES, SHRINKAGE, Observations, auroc, fit, score
from inception_model.analysis.ood_file import Known, known_path, learn, load_known, save_known
from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError
from inception_model.checkpoints.store import load, save
from inception_model.cli import main
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.trace import capture
from inception_model.training.data import open_dataset
from inception_model.training.holdout import hold_out
from tests.analysis.colours import COLOURS
from tests.compare import assert_close
from tests.random_networks import noise_images, random_classifier

CLASSES, WIDTH = 7, 12


def clouds(count: int, seed: int, channels: int = WIDTH, classes: int = CLASSES) -> Observations:
    """Classes as correlated Gaussian clouds, and logits that know nothing of them."""
    rng = np.random.default_rng(seed)
    shape = np.random.default_rng(99)
    centres, mixed = shape.normal(0, 3, (classes, channels)), shape.normal(size=(channels, channels))
    labels = rng.integers(0, classes, count)
    features = centres[labels] + rng.normal(size=(count, channels)) @ mixed
    logits = rng.normal(size=(count, classes))
    return Observations(
        torch.tensor(features, dtype=torch.float32), torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)
    )


def far_away(count: int, channels: int = WIDTH, classes: int = CLASSES) -> Observations:
    rng = np.random.default_rng(5)
    features = torch.tensor(rng.normal(0, 40, (count, channels)), dtype=torch.float32)
    logits = torch.tensor(rng.normal(size=(count, classes)), dtype=torch.float32)
    return Observations(features, logits, torch.full((count,), -1))


def learnt(classifier: Classifier) -> Known:
    """Of the tiny network's width and classes, from clouds."""
    spec = classifier.checkpoint.spec
    shape = {"channels": spec.blocks[-1].out_channels, "classes": spec.classes}
    training, validation = clouds(900, 1, **shape), clouds(600, 2, **shape)
    return learn(classifier, training, validation, far_away(60, **shape), "clouds")


@pytest.fixture(scope="module")
def known(tiny_classifier: Classifier) -> Known:
    return learnt(tiny_classifier)


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_auroc_is_mann_whitneys_u(digits: int) -> None:
    """Few digits make many ties."""
    rng = np.random.default_rng(digits)
    unlike, usual = rng.normal(0.7, 1, 130).round(digits), rng.normal(0, 1, 210).round(digits)
    wanted = mannwhitneyu(unlike, usual).statistic / (130 * 210)
    assert_close(auroc(torch.tensor(unlike), torch.tensor(usual)), wanted, 1e-12)
    assert auroc(torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0])) == 1
    assert auroc(torch.ones(3), torch.ones(4)) == 0.5


def test_the_distance_is_scipys_mahalanobis() -> None:
    training, new = clouds(400, 1), clouds(50, 2)
    x, y = (one.features.double().numpy() for one in (training, new))
    x, y = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (x, y))
    labels = training.labels.numpy()
    means = np.stack([x[labels == index].mean(axis=0) for index in range(CLASSES)])
    pooled = sum((labels == k).sum() * np.cov(x[labels == k].T, bias=True) for k in range(CLASSES)) / len(x)
    shrunk = (1 - SHRINKAGE) * pooled + SHRINKAGE * np.trace(pooled) / WIDTH * np.eye(WIDTH)
    wanted = cdist(y, means, "mahalanobis", VI=np.linalg.inv(shrunk))
    distance = fit(training.features, training.labels)
    assert distance.classes == tuple(range(CLASSES))
    assert_close(distance(new.features), wanted.min(axis=1), 1e-3)


def test_classes_without_images_have_no_mean() -> None:
    training = clouds(300, 1)
    some = training.where(training.labels % 2 == 0)
    assert fit(some.features, some.labels).classes == (0, 2, 4, 6)


def test_too_few_or_equal_images_are_refused() -> None:
    with pytest.raises(ValueError, match="more images than classes"):
        fit(torch.randn(3, 4), torch.arange(3))
    with pytest.raises(ValueError, match="no distance to measure"):
        fit(torch.ones(8, 4), torch.arange(8) % 2)


def test_softmax_and_energy_are_scipys() -> None:
    seen = clouds(40, 3)
    logits = seen.logits.double().numpy()
    distance = fit(seen.features, seen.labels)
    assert_close(score("softmax", seen, distance), -softmax(logits, axis=1).max(axis=1), 1e-6)
    assert_close(score("energy", seen, distance), -logsumexp(logits, axis=1), 1e-6)


def test_held_out_classes_are_measured_as_by_hand() -> None:
    training, new = clouds(500, 1), clouds(300, 2)
    parts = ood.held_out_fits(training)
    for name in SCORES:
        wanted = []
        for part in range(FOLDS):
            known = np.arange(CLASSES) % FOLDS != part
            kept, inside = known[training.labels.numpy()], known[new.labels.numpy()]
            if name == "distance":
                values = fit(training.features[kept], training.labels[kept])(new.features).numpy()
            elif name == "softmax":
                values = -softmax(new.logits.numpy()[:, known], axis=1).max(axis=1)
            else:
                values = -logsumexp(new.logits.numpy()[:, known], axis=1)
            found = mannwhitneyu(values[~inside], values[inside]).statistic
            wanted.append(found / (inside.sum() * (~inside).sum()))
        assert_close(ood.held_out_auroc(name, parts, new), float(np.mean(wanted)), 1e-9)


def test_the_pass_reads_what_a_trace_holds(tiny_classifier: Classifier) -> None:
    x = noise_images(3)
    heads, features = ood.heads_and_features(tiny_classifier, x)
    trace = capture(tiny_classifier, x)
    assert_close(features, ood.features_of(trace), 1e-6)
    assert_close(features, trace.block("5b").output.mean(dim=(2, 3)), 1e-6)
    for name in ("aux1", "aux2", "main"):
        assert_close(heads.of(name), trace.logits(name), 1e-5)


def test_the_score_that_tells_best_is_kept_and_alarms_as_often_as_stated(known: Known) -> None:
    assert known.kept == "distance", "the logits are noise"
    assert known.marks["distance"].pictures > 0.98
    assert known.marks["distance"].caught > 0.9
    assert 0.35 < known.marks["softmax"].classes < 0.65
    assert known.counts == {"training": 900, "chosen_with": 300, "new": 300, "pictures": 60}
    # Of 300 images 5% are 15; by the binomial more than 30 come up once in 10,000 times.
    assert 0 < known.marks["distance"].alarms * 300 <= 30
    assert known.limit == 1 - FALSE_ALARMS


def test_the_share_below_is_that_of_the_new_photos(tiny_classifier: Classifier, known: Known) -> None:
    spec = tiny_classifier.checkpoint.spec
    validation = clouds(600, 2, spec.blocks[-1].out_channels, spec.classes)
    chosen = validation.where(torch.arange(600) % 2 == 0)
    values = known.distance(chosen.features)
    for place in (3, 40, 150, 290):
        wanted = float((values < values[place]).float().mean())
        found = known.share_below(chosen.where(torch.tensor([place])))
        assert abs(found - wanted) <= 2 / 100
    assert known.share_below(far_away(1, spec.blocks[-1].out_channels, spec.classes)) == 1


def test_generated_pictures_are_all_different_and_of_every_family() -> None:
    pictures = ood.generated()
    assert len(pictures) == len(set(pictures)) > 100
    assert {type(picture) for picture in pictures} == set(ood.FAMILIES.values())


# Files


@pytest.fixture
def checkpoint(tiny_classifier: Classifier) -> Checkpoint:
    return replace(tiny_classifier.checkpoint, sha256="a" * 64)


@pytest.fixture
def file(known: Known, tmp_path: Path) -> Path:
    path = tmp_path / "x.ood.safetensors"
    save_known(replace(known, sha256="a" * 64), path)
    return path


def test_files_give_back_what_was_saved(known: Known, checkpoint: Checkpoint, file: Path) -> None:
    found = load_known(file, checkpoint)
    assert (found.sha256, found.kept, found.limit, found.source) == ("a" * 64, known.kept, known.limit, "clouds")
    assert (found.marks, found.counts, found.distance.classes) == (known.marks, known.counts, known.distance.classes)
    assert_close(found.quantiles, known.quantiles, 1e-6)
    new = clouds(50, 7, checkpoint.spec.blocks[-1].out_channels, checkpoint.spec.classes)
    assert_close(found.distance(new.features), known.distance(new.features), 1e-6)


def test_a_file_about_other_weights_is_refused(checkpoint: Checkpoint, file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"aaaaaaaaaaaa.*random has bbbbbbbbbbbb.*make it anew with `ood DATA`"):
        load_known(file, replace(checkpoint, sha256="b" * 64))


ABOVE = dict.fromkeys(ood.Measured.__dataclass_fields__, 1.5)
HOSTILE = {
    "a metadatum is missing": ({"quantiles": None}, {}),
    "no JSON": ({"classes": "[0, 1"}, {}),
    "deep JSON": ({"marks": "[" * 100_000}, {}),
    "a class twice": ({"classes": "[0, 0, 1, 2, 3, 4, 5]"}, {}),
    "a class that isn't there": ({"classes": "[0, 1, 2, 3, 4, 5, 7]"}, {}),
    "a class that is no number": ({"classes": '["x", 1, 2, 3, 4, 5, 6]'}, {}),
    "an unknown score": ({"kept": "<b>best</b>"}, {}),
    "quantiles that fall": ({"quantiles": json.dumps([101 - place for place in range(101)])}, {}),
    "too few quantiles": ({"quantiles": "[1, 2]"}, {}),
    "quantiles that are not finite": ({"quantiles": json.dumps([*range(100), float("inf")])}, {}),
    "a mark above 1": ({"marks": json.dumps(dict.fromkeys(SCORES, ABOVE))}, {}),
    "a count is missing": ({"counts": '{"new": 3}'}, {}),
    "a limit in words": ({"limit": '"all"'}, {}),
    "means that are not finite": ({}, {"means": torch.inf}),
    "whitening that is not finite": ({}, {"whitening": torch.nan}),
    "whitening of another width": ({}, {"whitening": slice(0, 5)}),
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE)
def test_damaged_files_are_refused_in_a_sentence(checkpoint: Checkpoint, file: Path, how: str) -> None:
    from safetensors import safe_open

    texts, values = HOSTILE[how]
    tensors = load_file(file)
    with safe_open(file, "pt") as opened:
        metadata = {**opened.metadata(), **texts}
    for name, value in values.items():
        if isinstance(value, slice):
            tensors[name] = tensors[name][value].contiguous()
        else:
            tensors[name].view(-1)[0] = value
    save_file(tensors, file, {name: text for name, text in metadata.items() if text is not None})
    with pytest.raises(CheckpointError, match=r"x\.ood\.safetensors .*damaged") as error:
        load_known(file, checkpoint)
    assert len(str(error.value)) < 500


def test_other_and_oversized_files_are_refused(checkpoint: Checkpoint, file: Path, tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "y.ood.safetensors")
    with pytest.raises(CheckpointError, match="does not say what a network's classes look like"):
        load_known(tmp_path / "y.ood.safetensors", checkpoint)
    with file.open("ab") as more:
        more.truncate(5 << 20)
    with pytest.raises(CheckpointError, match="the limit is"):
        load_known(file, checkpoint)


# The command


@pytest.fixture
def network(tmp_path: Path) -> Path:
    labels = tuple(Label(index, name, name) for index, name in enumerate(COLOURS))
    path = tmp_path / "small.safetensors"
    save(replace(random_classifier(tiny(3)).checkpoint, labels=labels), path)
    return path


def test_the_command_writes_beside_the_weights_what_it_prints(
    network: Path, coloured: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = ood.generated()[::6]
    monkeypatch.setattr(ood, "generated", lambda: some)
    options = ["ood", str(coloured), "--checkpoint", str(network), "--device", "cpu", "--batch", "5"]
    options += ["--holdout", "0"]
    assert main([*options, "--limit", "18", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == str(known_path(network)) == str(network.with_name("small.ood.safetensors"))
    known = load_known(known_path(network), load(network))
    assert told["images"] == known.counts
    assert known.counts == {"training": 18, "chosen_with": 6, "new": 6, "pictures": len(some)}
    assert told["kept"] == known.kept
    for name, row in told["scores"].items():
        assert row["pictures"] == known.marks[name].pictures
    # The generated pictures' AUROC, from images seen one by one.
    classifier, images = build(load(network), "cpu"), open_dataset(coloured, "validation")
    new = [ood.features_of(capture(classifier, classifier.prepare(images[i][0]))) for i in range(1, 12, 2)]
    drawn = [capture(classifier, classifier.preprocessing.tensor(s.image())) for s in ood.generated()]
    one, other = (known.distance(torch.cat(parts)).numpy() for parts in (list(map(ood.features_of, drawn)), new))
    wanted = mannwhitneyu(one, other).statistic / (len(one) * len(other))
    assert known.marks["distance"].pictures == pytest.approx(wanted, rel=2e-2)
    assert main([*options, "--limit", "18", "--out", str(network.with_name("other.safetensors"))]) == 0
    assert "| AUROC, held-out classes |" in capsys.readouterr().out


def test_held_out_training_images_choose_and_all_validation_images_measure(
    network: Path, coloured: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some, chosen = ood.generated()[::20], list[ood.Observations]()
    monkeypatch.setattr(ood, "generated", lambda: some)

    def best(parts: object, chosen_with: ood.Observations, *more: object) -> str:
        chosen.append(chosen_with)
        return "energy"

    monkeypatch.setattr(ood_file, "best", best)
    options = ["ood", str(coloured), "--checkpoint", str(network), "--device", "cpu", "--holdout", "6"]
    assert main([*options, "--limit", "9"]) == 0
    _, held_out = hold_out(open_dataset(coloured, "train"), 6)
    assert held_out is not None
    wanted = ood.observe(build(load(network), "cpu"), held_out)
    assert_close(chosen[0].features, wanted.features, 1e-4)
    known = load_known(known_path(network), load(network))
    assert known.counts == {"training": 9, "chosen_with": 6, "new": 12, "pictures": len(some)}
    assert known.held_out
    assert "of 6 held-out training images lie above. Everything below: on 12 validation" in capsys.readouterr().out


def test_the_command_refuses_what_makes_no_sense(
    network: Path, coloured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["ood", str(coloured), "--checkpoint", str(network), "--device", "cpu"]
    for more, words in (
        (["--limit", "0"], "--limit must be at least 1"),
        (["--holdout", "0", "--limit", "3"], "more images than classes"),
        (["--holdout", "24"], "use a smaller --holdout"),
        (["--holdout", "-1"], "--holdout must be at least 0"),
        (["--out", str(network.parent)], "is a folder"),
        (["--out", str(network.parent / "no" / "x.safetensors")], "does not exist"),
    ):
        assert main([*options, *more]) == 2
        assert words in capsys.readouterr().err
    assert not known_path(network).exists()


def test_predict_goes_on_beside_a_wrong_file(network: Path, cat_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known_path(network).write_bytes(b"nothing")
    assert main(["predict", str(cat_file), "--checkpoint", str(network), "--device", "cpu", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["images"][0]["doubt"]["unlike"] is None
    assert "note: what small.ood.safetensors says of known classes can't be used" in said.err


@pytest.fixture
def cat_file(photo_paths: dict[str, Path]) -> Path:
    return photo_paths["cat"]
