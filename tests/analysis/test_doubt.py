"""The sentence above the heads: when it is said, with which numbers, by page, command and report alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inception_model.analysis.doubt import UNSURE, Doubt, doubt, doubt_of, unsure
from inception_model.analysis.ood import features_of
from inception_model.analysis.ood_file import Known
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import capture
from tests.analysis.test_ood import clouds, far_away, learnt
from tests.random_networks import noise_images


@pytest.fixture(scope="module")
def known(tiny_classifier: Classifier) -> Known:
    return learnt(tiny_classifier)


def of(classifier: Classifier, features: torch.Tensor, probability: float, known: Known | None) -> Doubt:
    """About an answer with that probability, all other classes alike."""
    rest = (1 - probability) / (classifier.checkpoint.spec.classes - 1)
    logits = torch.full((classifier.checkpoint.spec.classes,), rest).log()
    logits[0] += 0.01  # which is second is no matter of rounding
    logits[3] = torch.tensor(probability).log()
    return doubt(classifier, logits, features, known)


def test_low_probability_is_below_the_limit() -> None:
    assert unsure([UNSURE - 0.01, 0.2])
    assert not unsure([0.1, UNSURE, 0.2])


def test_one_sentence_or_none(tiny_classifier: Classifier, known: Known) -> None:
    shape = tiny_classifier.checkpoint.spec.blocks[-1].out_channels, tiny_classifier.checkpoint.spec.classes
    usual = clouds(600, 2, *shape).features
    usual = usual[known.distance(usual).argmin()]
    odd = far_away(1, *shape).features[0]
    assert of(tiny_classifier, usual, 0.9, known) == Doubt(False, 0.0, False, "")
    open_ = of(tiny_classifier, usual, 0.28, known)
    assert open_.sentence == "Unsure: its first answer is thing 3, 28%, then thing 0, 12%."
    far = of(tiny_classifier, odd, 0.9, known)
    assert (far.unlike, far.share, far.unsure) == (True, 1.0, False)
    assert far.sentence.startswith("Unlike anything it was trained on: all new photos of its 7 classes are more like")
    both = of(tiny_classifier, odd, 0.28, known)
    assert both.sentence.startswith("Unlike anything it was trained on, and unsure (thing 3, 28%): all new photos")
    for found in (open_, far, both):
        assert found.sentence.count(". ") == 0
        assert found.sentence.endswith(".")


def test_without_a_file_only_probability_is_judged(tiny_classifier: Classifier) -> None:
    odd = far_away(1, tiny_classifier.checkpoint.spec.blocks[-1].out_channels, 7).features[0]
    assert of(tiny_classifier, odd, 0.9, None) == Doubt(None, None, False, "")
    assert of(tiny_classifier, odd, 0.28, None).sentence.startswith("Unsure:")


def test_the_share_decides(tiny_classifier: Classifier, known: Known) -> None:
    shape = tiny_classifier.checkpoint.spec.blocks[-1].out_channels, tiny_classifier.checkpoint.spec.classes
    for features in clouds(40, 8, *shape).features:
        found = of(tiny_classifier, features, 0.9, known)
        value = float(known.distance(features[None]))
        assert found.unlike == (value >= float(known.quantiles[95])), "95 of 100 steps lie below"
        assert bool(found.sentence) == found.unlike


def test_a_trace_gives_the_same_and_untrained_heads_nothing(tiny_classifier: Classifier, known: Known) -> None:
    trace = capture(tiny_classifier, noise_images(1))
    wanted = doubt(tiny_classifier, trace.logits("main")[0], features_of(trace)[0], known)
    assert doubt_of(tiny_classifier, trace, known) == wanted
    untrained = replace(tiny_classifier, checkpoint=replace(tiny_classifier.checkpoint, heads_trained=()))
    assert doubt_of(untrained, trace, known) is None
