"""Votes of crops and ensembles beside a plain torch loop, and what can't vote together."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from inception_model.architecture.labels import Label
from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.images.crops import CROPS, Crop, first_crops, views
from inception_model.images.preprocessing import TORCHVISION
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.voting import EnsembleError, check_ensemble, together, vote
from inception_model.progress import Cancelled
from tests.compare import assert_close
from tests.random_networks import random_classifier

PHOTO = Image.fromarray(np.random.default_rng(1).integers(0, 256, (120, 180, 3), dtype=np.uint8))


def changed(classifier: Classifier, **changes: object) -> Classifier:
    """Another network: its weights turned a little, its file another one."""
    state = {name: value * 1.1 for name, value in classifier.checkpoint.state.items()}
    values = {"name": "second", "sha256": "b" * 64, "state": state, **changes}
    return build(replace(classifier.checkpoint, **values), "cpu")  # type: ignore[arg-type]


def single(classifier: Classifier, image: Image.Image, crop: Crop) -> torch.Tensor:
    """Main's probabilities for one crop, as for any picture of the network's size."""
    picture = Image.fromarray(views(image, [crop], classifier.preprocessing).pictures[0])
    return classifier.heads_of(classifier.preprocessing.tensor(picture)).main[0].softmax(0)


@pytest.fixture(scope="module")
def second(tiny_classifier: Classifier) -> Classifier:
    return changed(tiny_classifier)


def test_ten_crops_of_two_networks_are_a_plain_loop(tiny_classifier: Classifier, second: Classifier) -> None:
    """Torchvision's TenCrop of the centre square, one picture at a time, softmax, mean over pictures and networks."""
    cut = v2.Compose([v2.Resize(256), v2.CenterCrop(256), v2.TenCrop(224)])
    to_input = v2.Compose([
        v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])  # fmt: skip
    ten = first_crops(10)
    found = together([vote(member, PHOTO, ten) for member in (tiny_classifier, second)])
    assert found.models == ("random", "second")
    assert (found.pictures, found.passes) == (10, 20)
    for head in ("aux1", "aux2", "main"):
        sums = torch.zeros(tiny().classes, dtype=torch.float64)
        with torch.no_grad():
            for member in (tiny_classifier, second):
                for picture in cut(PHOTO):
                    heads = member.network.forward_heads(to_input(picture)[None])
                    sums += heads.of(head)[0].double().softmax(0)
        assert_close(found.averaged(head), sums / 20, 1e-4)
        assert_close(found.averaged(head).sum().item(), 1.0, 1e-6)


def test_running_averages_and_single_answers(tiny_classifier: Classifier, second: Classifier) -> None:
    seen = [vote(member, PHOTO, CROPS[:20]) for member in (tiny_classifier, second)]
    found = together(seen)
    running = found.running("main")
    assert running.shape == (20, tiny().classes)
    for count in (1, 7, 20):
        both = torch.stack([one.probabilities["main"][0, :count].mean(0) for one in seen]).mean(0)
        assert_close(running[count - 1], both, 1e-5)
        assert_close(running[count - 1], found.averaged("main", count), 1e-6)
    alone = single(tiny_classifier, PHOTO, CROPS[13])
    assert_close(seen[0].of_crops("main")[13], alone, 1e-4)


def test_crops_that_show_the_same_are_asked_once(tiny_classifier: Classifier) -> None:
    square = PHOTO.crop((0, 0, 120, 120))
    told: list[tuple[int, int]] = []
    found = vote(tiny_classifier, square, CROPS, progress=lambda done, total: told.append((done, total)))
    assert (found.pictures, told[0], told[-1]) == (48, (0, 48), (48, 48))
    values = found.probabilities["main"][0]
    by_crop = {crop: values[place] for place, crop in enumerate(CROPS)}
    for crop in CROPS:
        assert torch.equal(by_crop[crop], by_crop[replace(crop, square=1)])
    every = [single(tiny_classifier, square, crop) for crop in CROPS[:30]]
    assert_close(found.averaged("main", 30), torch.stack(every).mean(0), 1e-4)


def test_a_vote_is_cancelled_between_batches(tiny_classifier: Classifier) -> None:
    cancel, told = threading.Event(), []

    def progress(done: int, total: int) -> None:
        told.append(done)
        if done >= 4:
            cancel.set()

    with pytest.raises(Cancelled):
        vote(tiny_classifier, PHOTO, CROPS, batch=2, progress=progress, cancel=cancel)
    assert told == [0, 2, 4]


def refused(*members: Classifier) -> str:
    with pytest.raises(EnsembleError) as found:
        check_ensemble(members)
    return str(found.value)


def test_what_can_t_vote_together_is_named(tiny_classifier: Classifier, second: Classifier) -> None:
    known: Checkpoint = tiny_classifier.checkpoint
    assert check_ensemble([tiny_classifier, second]) == ("aux1", "aux2", "main")
    words = refused(tiny_classifier, changed(tiny_classifier, preprocessing=TORCHVISION))
    assert "second and random take photos differently" in words
    assert "mean (0.5, 0.5, 0.5)" in words
    turned = (*known.labels[:2], Label(2, "n99999999", "something else"), *known.labels[3:])
    assert "class 2 is n00000002 (thing 2) in random and n99999999 (something else) in second" in refused(
        tiny_classifier, changed(tiny_classifier, labels=turned)
    )
    more = known.spec.classes + 1
    wide = random_classifier(replace(known.spec, classes=more))
    assert f"random no. 2 has {more} classes and random no. 1 {more - 1}" in refused(tiny_classifier, wide)
    assert "second and second are the same file" in refused(second, second)
    only = [
        changed(tiny_classifier, heads_trained=(head,), sha256=digit * 64)
        for head, digit in (("aux1", "a"), ("main", "b"))
    ]
    said = "no head was trained in all of second (aaaaaaaa) (aux1); second (bbbbbbbb) (main)"
    assert said in refused(*only), "members of one name are told apart"
    assert check_ensemble([tiny_classifier, only[0]]) == ("aux1",)
    assert "at least one" in refused()


def test_votes_on_different_crops_are_not_averaged(tiny_classifier: Classifier, second: Classifier) -> None:
    with pytest.raises(ValueError, match="different crops"):
        together([vote(tiny_classifier, PHOTO, CROPS[:2]), vote(second, PHOTO, CROPS[1:3])])
