"""The time line against scipy: entropy, divergence, ranks; and what is said of heads that were never trained."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy
from scipy.stats import rankdata

from inception_model.analysis.timeline import MOST_DIVERGENT, jensen_shannon, timeline
from inception_model.architecture.network import Heads
from inception_model.architecture.spec import HEADS
from inception_model.architecture.variants import inception5h, tiny
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import Trace, capture
from tests.compare import assert_close
from tests.random_networks import noise_images, random_classifier


@pytest.fixture(scope="module")
def trace(tiny_classifier: Classifier) -> Trace:
    return capture(tiny_classifier, noise_images(1))


def said(**logits: list[float] | None) -> Trace:
    """A trace whose heads said just this."""
    return Trace(Heads(*(None if (v := logits.get(h)) is None else torch.tensor([v]) for h in HEADS)), {})


def test_numbers_equal_scipys(tiny_classifier: Classifier, trace: Trace) -> None:
    line = timeline(tiny_classifier, trace, 4)
    p = {head: trace.logits(head)[0].double().softmax(0).numpy() for head in HEADS}
    for step in line.steps:
        ordered = np.sort(p[step.head])[::-1]
        assert step.entropy == pytest.approx(scipy_entropy(p[step.head]), rel=1e-9)
        assert step.entropy_share == pytest.approx(scipy_entropy(p[step.head], base=7), rel=1e-9)
        assert step.rank == rankdata(-p[step.head], method="min")[4]
        assert step.probability == pytest.approx(p[step.head][4], rel=1e-9)
        assert_close(step.margin, ordered[0] - ordered[1], 1e-9, scale=1.0)  # of two probabilities
        assert [answer.probability for answer in step.top] == pytest.approx(ordered[:5], rel=1e-6)  # of float32
        assert step.answer.index == p[step.head].argmax()
    for pair in line.divergences:
        assert pair.nats == pytest.approx(jensenshannon(p[pair.first], p[pair.second]) ** 2, rel=1e-6)
    assert [(pair.first, pair.second) for pair in line.divergences] == [
        ("aux1", "aux2"), ("aux1", "main"), ("aux2", "main"),
    ]  # fmt: skip


def test_the_heads_stand_in_the_order_of_depth(tiny_classifier: Classifier, trace: Trace) -> None:
    line = timeline(tiny_classifier, trace)
    assert [(step.head, step.module, step.depth) for step in line.steps] == [
        ("aux1", "4a", 3), ("aux2", "4d", 6), ("main", "5b", 9),
    ]  # fmt: skip
    assert line.index == int(trace.logits("main").argmax())
    assert line.steps[-1].rank == 1
    assert line.untrained == ()


def test_the_ends_of_divergence() -> None:
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert float(jensen_shannon(one, one)) == 0
    assert float(jensen_shannon(one, other)) == pytest.approx(math.log(2)) == MOST_DIVERGENT


def test_minds_that_change(tiny_classifier: Classifier) -> None:
    a, b, c = [9.0, 5, 0, 0, 0, 0, 0], [5.0, 9, 0, 0, 0, 0, 0], [5.0, 7, 0, 0, 0, 0, 0]
    line = timeline(tiny_classifier, said(aux1=a, aux2=b, main=c))
    assert not line.agree
    assert [(x.head, y.head) for x, y in line.changes] == [("aux1", "aux2")]
    assert line.settled is line.steps[1]
    assert [step.rank for step in line.steps] == [2, 1, 1]
    assert timeline(tiny_classifier, said(aux1=a, aux2=b, main=c), 0).settled is None
    same = timeline(tiny_classifier, said(aux1=b, aux2=b, main=b))
    assert same.agree
    assert same.settled is same.steps[0]
    assert max(pair.share for pair in same.divergences) == 0


def test_untrained_heads_are_named_and_nothing_is_said_of_them(tiny_classifier: Classifier, trace: Trace) -> None:
    checkpoint = replace(tiny_classifier.checkpoint, heads_trained=("main",))
    line = timeline(replace(tiny_classifier, checkpoint=checkpoint), trace)
    assert [step.head for step in line.steps] == ["main"]
    assert line.untrained == (("aux1", "4a"), ("aux2", "4d"))
    assert line.divergences == ()
    assert line.agree
    nobody = replace(tiny_classifier, checkpoint=replace(checkpoint, heads_trained=()))
    with pytest.raises(ValueError, match="was ever trained"):
        timeline(nobody, trace)


def test_a_network_without_auxiliary_heads(tiny_classifier: Classifier) -> None:
    assert not inception5h().aux
    alone = random_classifier(replace(tiny(), aux=()))
    line = timeline(alone, capture(alone, noise_images(1)))
    assert [step.head for step in line.steps] == ["main"]
    assert line.untrained == ()


def test_a_class_that_is_not_there(tiny_classifier: Classifier, trace: Trace) -> None:
    for index in (-1, 7):
        with pytest.raises(ValueError, match="allowed: 0 to 6"):
            timeline(tiny_classifier, trace, index)
