"""The family that an index tells: planted strongest images, scipy's p, and ImageNet's animals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from inception_model.architecture.labels import Label
from inception_model.architecture.spec import BRANCHES
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.formats import imagenet_labels
from inception_model.checkpoints.store import save
from inception_model.circuits.families import Families
from inception_model.cli import main
from inception_model.cli import specialisation as command
from inception_model.examples.building import Data, build_index
from inception_model.examples.families import ANIMALS, CHANCE, animal_classes, with_examples
from inception_model.examples.index import Index, load_index
from inception_model.examples.strongest import NOBODY, Strongest
from inception_model.images.preprocessing import TORCHVISION
from inception_model.inference.classifier import build
from inception_model.visualization.places import Place
from tests.random_networks import random_classifier

from .made import image_folder

LABELS = (Label(0, "n01443537", "goldfish"), Label(1, "n02655020", "puffer"), Label(2, "n02666196", "abacus"))
KEPT, IMAGES = 9, 300


def planted(held: dict[int, int]) -> Index:
    """An index of as many goldfish as abaci, and one broken image, in which channels of 4d's 3x3 have so many goldfish
    among their strongest images; all other channels have abaci only, the last channel of the branch no image."""
    spec = tiny()
    index = Index(
        "", spec, TORCHVISION, "", "", "validation", None, IMAGES, np.zeros((0, 0), np.float32), np.zeros(0),
        np.zeros(0), {}, np.asarray([0, 2] * (IMAGES // 2) + [0], np.int32),
        np.asarray([[64, 64]] * IMAGES + [[0, 0]], np.int32), {}, {},
    )  # fmt: skip
    images = np.ones((KEPT, index.channels.total), np.int32)  # an abacus
    lane = index.channels.lanes[Place("3x3", "4d")]
    for channel, goldfish in held.items():
        images[:goldfish, lane.start + channel] = 0
    images[:, lane.stop - 1] = NOBODY
    values = np.zeros(images.shape, np.float32)
    places = np.zeros(images.shape, np.int16)
    index.strongest["activation"] = Strongest(images, values, places, places)  # type: ignore[index]
    return index


def test_channels_whose_strongest_images_show_animals_more_often_than_chance_has_it() -> None:
    block = tiny().block("4d")
    before = Families("4d", {"curves": np.zeros(block.out_channels, bool)}, *np.zeros((2, block.out_channels), bool))
    held = {channel: channel for channel in range(min(KEPT + 1, block.width("3x3") - 1))}
    index = planted(held)
    found = with_examples(before, index, LABELS)
    assert list(found.members) == ["curves", ANIMALS]
    of = {kind: found.members[ANIMALS][block.channels(kind)] for kind in BRANCHES}
    assert not any(members.any() for kind, members in of.items() if kind != "3x3")
    for channel, goldfish in held.items():
        p = stats.hypergeom.sf(goldfish - 1, IMAGES, IMAGES // 2, KEPT)
        assert of["3x3"][channel] == (p < CHANCE), (channel, p)
    assert not of["3x3"][-1]
    row = next(row for row in found.rows(block) if row.family == ANIMALS)
    assert row.counts["3x3"] == sum(
        stats.hypergeom.sf(n - 1, IMAGES, IMAGES // 2, KEPT) < CHANCE for n in held.values()
    )


def test_without_wordnet_ids_there_is_no_such_family() -> None:
    before = Families("4d", {}, np.zeros(1, bool), np.zeros(1, bool))
    assert with_examples(before, planted({}), [*LABELS, Label(3, "cats", "cat")]) is before


def test_the_command_takes_an_index_of_its_own_checkpoint_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = random_classifier(tiny(3)).checkpoint
    file = tmp_path / "small.safetensors"
    classifier = build(save(replace(made, labels=LABELS), file), "cpu")
    build_index(
        classifier,
        Data(image_folder(tmp_path / "data", [label.wnid for label in LABELS]), "validation"),
        tmp_path / "out",
    )
    width = tiny().block("3a").out_channels
    monkeypatch.setattr(command, "families", lambda *_, **__: {"3a": Families("3a", {}, *np.zeros((2, width), bool))})
    asked = ["specialisation", "3a", "--index", str(tmp_path / "out"), "--json"]
    assert main([*asked, "--checkpoint", str(file)]) == 0
    index = load_index(tmp_path / "out", classifier.checkpoint)
    wanted = with_examples(Families("3a", {}, *np.zeros((2, width), bool)), index, LABELS).rows(tiny().block("3a"))
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["family"], row["total"]) == (ANIMALS, wanted[0].total)
    assert main(asked) == 2
    assert "the index in out is about" in capsys.readouterr().err


@pytest.mark.parametrize(("first", "last", "animal"), [(0, 398, True), (398, 1000, False)])
def test_the_animals_are_imagenet_s(first: int, last: int, animal: bool) -> None:
    animals = animal_classes(imagenet_labels(1000))
    assert animals is not None
    assert (animals[first:last] == animal).all()
