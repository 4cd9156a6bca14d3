"""Which classes are taken for which: counts beside numpy's, the pairs, the file, and the command."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inception_model.analysis import confusions as module
from inception_model.analysis.confusions import (
    MAX_CLASSES,
    Confusions,
    Tally,
    confusions_path,
    load_confusions,
    markdown,
    save_confusions,
)
from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import Checkpoint, CheckpointError
from inception_model.checkpoints.store import load, save
from inception_model.cli import main
from inception_model.inference.classifier import Classifier, build
from inception_model.training.data import open_dataset
from tests.analysis.colours import COLOURS
from tests.random_networks import random_classifier

CLASSES, IMAGES = 7, 400


def drawn(seed: int) -> tuple[np.ndarray, torch.Tensor]:
    """True classes, and logits that often favour them; class 6 has no image."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES - 1, IMAGES)
    logits = rng.normal(size=(IMAGES, CLASSES))
    logits[np.arange(IMAGES), labels] += 1.0
    return labels, torch.tensor(logits)


@pytest.fixture
def checkpoint(tiny_classifier: Classifier) -> Checkpoint:
    return replace(tiny_classifier.checkpoint, sha256="a" * 64)


@pytest.fixture
def counted() -> Confusions:
    tally, (labels, logits) = Tally(CLASSES), drawn(0)
    for start in range(0, IMAGES, 64):
        part = slice(start, start + 64)
        tally("aux1", logits[part].flip(1), torch.tensor(labels[part]))
        tally("main", logits[part], torch.tensor(labels[part]))
    return Confusions("a" * 64, tally.heads, "validation", "drawn")


def test_counts_are_numpys(counted: Confusions) -> None:
    labels, logits = drawn(0)
    said = logits.numpy().argmax(axis=1)
    wanted = np.histogram2d(labels, said, bins=np.arange(CLASSES + 1))[0]
    assert (counted.heads["main"] == wanted).all()
    assert counted.images == IMAGES
    assert counted.per_class().tolist() == np.bincount(labels, minlength=CLASSES).tolist()
    for index, share in enumerate(counted.top1("main")):
        mine = said[labels == index]
        assert share == (pytest.approx((mine == index).mean(), rel=1e-12) if len(mine) else None)


def test_pairs_and_commonest_mistakes_are_as_counted_one_by_one(counted: Confusions) -> None:
    labels, logits = drawn(0)
    mistakes = [(t, s) for t, s in zip(labels.tolist(), logits.argmax(1).tolist(), strict=True) if t != s]
    both, one_way = Counter(frozenset(pair) for pair in mistakes), Counter(mistakes)
    pairs = counted.pairs("main")
    assert {frozenset((p.first, p.second)): p.count for p in pairs} == dict(both)
    assert [p.count for p in pairs] == sorted(both.values(), reverse=True)
    for pair in pairs:
        assert (pair.there, pair.back) == (one_way[pair.first, pair.second], one_way[pair.second, pair.first])
        assert pair.there >= pair.back
    assert counted.pairs("main", 3) == pairs[:3]
    for index in range(CLASSES):
        mine = Counter({said: count for (true, said), count in one_way.items() if true == index})
        found = counted.taken_for("main", index)
        assert (found is None) == (not mine)
        assert found is None or (found[1] == max(mine.values()) and mine[found[0]] == found[1])


def test_files_give_back_what_was_saved(counted: Confusions, checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_confusions(counted, tmp_path / "x.confusions.json")
    found = load_confusions(tmp_path / "x.confusions.json", checkpoint)
    assert (found.sha256, found.split, found.data) == ("a" * 64, "validation", "drawn")
    assert list(found.heads) == ["aux1", "main"]
    for head, counts in counted.heads.items():
        assert (found.heads[head] == counts).all()
    assert [path.name for path in tmp_path.iterdir()] == ["x.confusions.json"]


def test_counts_of_other_weights_are_refused(counted: Confusions, checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_confusions(counted, tmp_path / "x.json")
    with pytest.raises(CheckpointError, match=r"aaaaaaaaaaaa.*random has bbbbbbbbbbbb.*evaluate --confusions"):
        load_confusions(tmp_path / "x.json", replace(checkpoint, sha256="b" * 64))


def test_what_such_a_file_says_of_its_weights_is_not_repeated(
    counted: Confusions, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    save_confusions(replace(counted, sha256="root:x:0:0:root"), tmp_path / "x.json")
    with pytest.raises(CheckpointError, match="sha256 a name of 12 characters") as refusal:
        load_confusions(tmp_path / "x.json", checkpoint)
    assert "root" not in str(refusal.value)


def whole(**changes: Any) -> str:
    counts = {"heads": {"main": [[0, 0, 2], [1, 0, 1]]}}
    plain = {"format": module.FORMAT, "checkpoint": "a" * 64, "split": "validation", "data": "d", "classes": CLASSES}
    return json.dumps({**plain, **counts, **changes})


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "[" * 100_000, '{"format": "other"}',
        whole(heads={}), whole(heads={"main": []}), whole(heads=[1]), whole(heads={"tail": [[0, 0, 1]]}),
        whole(heads={"main": [[0, 0, 2]], "aux1": [[0, 0, 3]]}),
        whole(heads={"main": [[0, 0]]}), whole(heads={"main": [[0, CLASSES, 1]]}),
        whole(heads={"main": [[-1, 0, 1]]}), whole(heads={"main": [[0, 0, 0]]}), whole(heads={"main": [[0, 0, -4]]}),
        whole(heads={"main": [[0, 0, 1], [0, 0, 1]]}), whole(heads={"main": [[0, 0, 1e300]]}),
        whole(heads={"main": [[0, 0, True]]}), whole(heads={"main": [["0", 0, 1]]}),
        whole(heads={"main": [[0, 0, 1 << 40]]}),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_in_a_sentence(text: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"the confusions in x\.json can't be used") as error:
        load_confusions(tmp_path / "x.json", checkpoint)
    assert len(str(error.value)) < 500


def test_a_whole_file_is_read_and_too_large_ones_are_not(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(whole())
    assert load_confusions(path, checkpoint).top1("main")[:3] == [1.0, 0.0, None]
    many = replace(checkpoint, spec=replace(checkpoint.spec, classes=MAX_CLASSES + 1))
    with pytest.raises(CheckpointError, match="kept of at most 2,048"):
        load_confusions(path, many)
    path.write_text(whole() + " " * module.MAX_BYTES)
    with pytest.raises(CheckpointError, match="the limit is"):
        load_confusions(path, checkpoint)


def test_the_command_counts_what_the_network_says(
    coloured: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = tuple(Label(index, name, f"{name}, {name}|ish") for index, name in enumerate(COLOURS))
    path = tmp_path / "small.safetensors"
    save(replace(random_classifier(tiny(3)).checkpoint, labels=labels), path)
    options = ["evaluate", "--data", str(coloured), "--checkpoint", str(path), "--device", "cpu", "--batch", "5"]
    assert main([*options, "--json"]) == 0
    assert "confusions" not in json.loads(capsys.readouterr().out)
    assert not confusions_path(path).exists()
    assert main([*options, "--confusions", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["confusions"] == str(confusions_path(path)) == str(tmp_path / "small.confusions.json")
    checkpoint = load(path)
    found, images = load_confusions(confusions_path(path), checkpoint), open_dataset(coloured, "validation")
    classifier = build(checkpoint, "cpu")
    for head, counts in found.heads.items():
        assert counts.diagonal().sum() / counts.sum() == pytest.approx(told["heads"][head]["top1"], rel=1e-12)
        wanted = np.zeros((3, 3))
        for image, label in images:
            wanted[label, int(classifier.heads_of(classifier.prepare(image)).of(head).argmax())] += 1
        assert (counts == wanted).all()
    assert main([*options, "--confusions", str(tmp_path / "own.json")]) == 0
    assert "| class | and | taken for it | the other way |" in capsys.readouterr().out
    assert load_confusions(tmp_path / "own.json", checkpoint).images == len(images)
    assert main([*options, "--confusions", str(tmp_path / "no" / "own.json")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_the_cards_tables_say_what_was_counted(counted: Confusions, checkpoint: Checkpoint) -> None:
    lines = markdown(counted, checkpoint)
    first = counted.pairs("main", 1)[0]
    assert lines[0] == "400 images (validation), main's first answers."
    assert lines[4] == f"| thing {first.first} | thing {first.second} | {first.there} | {first.back} |"
    worst = min((share, index) for index, share in enumerate(counted.top1("main")) if share is not None)
    taken = counted.taken_for("main", worst[1])
    assert taken is not None
    assert f"| thing {worst[1]} | {worst[0]:.0%} | thing {taken[0]} ({taken[1]}) |" in "\n".join(lines)
