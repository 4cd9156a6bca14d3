"""What heads say at every strength, and two photos through the depth, beside passes of the network alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from inception_model.architecture.spec import HeadName
from inception_model.images.disturbances import DISTURBANCES, disturbed
from inception_model.images.surroundings import Surroundings, surroundings
from inception_model.inference.classifier import Answer, Classifier
from inception_model.inference.trace import capture
from inception_model.robustness.asking import AttackQuestion, Fooled, enlarged, fool, picture_of, pixels_of
from inception_model.robustness.depth import Depth, Pair, Reading, followed
from inception_model.robustness.strengths import ask_strengths
from tests.compare import assert_close
from tests.random_networks import random_probes


@pytest.fixture(scope="module")
def around(tiny_classifier: Classifier) -> Surroundings:
    pixels = torch.randint(0, 256, (20, 20, 3), generator=torch.Generator().manual_seed(8)).to(torch.uint8)
    image = Image.fromarray(pixels.numpy()).resize((300, 260), Image.Resampling.BILINEAR)
    return surroundings(image, tiny_classifier.preprocessing)


@pytest.fixture(scope="module")
def fooled(tiny_classifier: Classifier, around: Surroundings) -> Fooled:
    question = AttackQuestion("aux2", bound=16)
    return fool(tiny_classifier, around.moved(), question, random_probes(tiny_classifier))


def test_a_flip_is_one_and_the_first(tiny_classifier: Classifier, around: Surroundings) -> None:
    found = ask_strengths(tiny_classifier, around, "rotation")
    scale, start = DISTURBANCES["rotation"].strengths, DISTURBANCES["rotation"].start

    def answer(head: str, place: int) -> int:
        square = disturbed(around, {"rotation": scale[place]})
        return int(tiny_classifier.heads_of(tiny_classifier.preprocessing.tensor(square)).of(head)[0].argmax())

    flips = [flip for head in tiny_classifier.trained_heads for flip in found.flips(head)[:1]]
    assert flips
    for flip in flips:
        clean, place = answer(flip.head, start), scale.index(flip.strength)
        assert found.clean(flip.head) == clean
        assert answer(flip.head, place) == flip.index != clean
        inside = range(min(start, place) + 1, max(start, place))
        assert {answer(flip.head, between) for between in inside} <= {clean}
    assert_close(found.followed("main")[start], found.probabilities["main"][start].max())


def test_both_photos_are_read_at_every_depth(tiny_classifier: Classifier, fooled: Fooled) -> None:
    probes, depth = random_probes(tiny_classifier), fooled.depth
    x = [tiny_classifier.preprocessing.normalise(p) for p in (fooled.change.clean, fooled.change.changed)]
    clean, changed = (capture(tiny_classifier, each) for each in x)
    assert [each.name for each in depth.readings].count("probe") == len(probes.modules) == len(depth.apart)
    for each in depth.readings:
        ways = [each.lead.clean, each.lead.disturbed]
        for trace, lead in zip((clean, changed), ways, strict=True):
            if each.head is None:
                probe = probes.modules[each.module]
                pooled = trace.block(each.module).output.mean(dim=(2, 3))
                logits = F.linear(pooled, probe.weight, probe.bias)[0]
            else:
                logits = trace.logits(each.head)[0]
            assert_close(lead, logits[depth.before] - logits[depth.after], scale=float(logits.norm()))
        assert each.turned == (each.lead.clean > 0 > each.lead.disturbed)
    for module, apart in depth.apart.items():
        a, b = clean.block(module).output, changed.block(module).output
        assert_close(apart, (b - a).norm() / a.norm())
    assert fooled.change.reached
    assert fooled.after.index == depth.after == int(changed.logits("aux2").argmax()) != depth.before


@pytest.mark.parametrize(
    ("leads", "turn"),
    [
        ([(1, 1), (1, -1), (1, -1), (1, -1)], 1),
        ([(1, -1), (1, 1), (1, -1), (1, -1)], 2),
        ([(1, -1), (-1, -1), (1, -1), (1, -1)], 0),  # what says the second class anyway is not in the way
        ([(-1, -1), (1, -1), (1, -1), (1, -1)], 1),
        ([(1, -1), (1, -1), (1, -1), (1, 1)], None),
    ],
)
def test_the_turn_is_the_first_of_those_that_stay_turned(leads: list[tuple[float, float]], turn: int | None) -> None:
    answer, none = Answer(0, "n0", "thing", 1.0, 1.0), Pair(0.0, 0.0)
    heads: list[HeadName | None] = [None, None, None, "aux1"]
    readings = tuple(
        Reading("4a", number, head, answer, answer, none, none, Pair(*lead))
        for number, (head, lead) in enumerate(zip(heads, leads, strict=True))
    )
    behind = Reading("4d", 5, "aux2", answer, answer, none, none, Pair(1.0, 1.0))
    found = Depth("aux1", 0, 1, {}, (*readings, behind)).turn
    assert (None if found is None else found.depth) == turn


def test_nothing_turns_where_nothing_was_changed(tiny_classifier: Classifier, around: Surroundings) -> None:
    pixels = pixels_of(around.moved())
    depth = followed(tiny_classifier, pixels, pixels, "aux2")
    assert depth.turn is None
    assert set(depth.apart.values()) == {0.0}
    assert depth.before != depth.after


def test_pictures_hold_the_pixels(around: Surroundings, fooled: Fooled) -> None:
    assert picture_of(pixels_of(around.moved())).tobytes() == around.moved().tobytes()
    picture, times = enlarged(fooled.change.change)
    drawn = pixels_of(picture) * 255 - 127.5
    assert_close(drawn / times, fooled.change.change, 0.01)
    assert float(drawn.abs().max()) > 127
