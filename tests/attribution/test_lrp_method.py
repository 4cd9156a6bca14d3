"""LRP as a method of `explain`: batches, precisions, its badge, and what it refuses."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from inception_model.attribution import AttributionError, explain
from inception_model.attribution.batched import heatmaps
from inception_model.attribution.lrp.conservation import in_logits
from inception_model.inference.classifier import Classifier, build
from inception_model.trust import Case, Conserved, evidence
from inception_model.trust.randomisation import randomisation
from tests.compare import assert_close
from tests.random_networks import noise_images


def test_images_of_a_batch_are_explained_as_if_alone(tiny_classifier: Classifier) -> None:
    images = noise_images(3)
    found = heatmaps(tiny_classifier, images, ["lrp"], "aux1", [1, 4, 1])["lrp"]
    alone = [
        explain(tiny_classifier, one[None], "lrp", "aux1", index) for one, index in zip(images, (1, 4, 1), strict=True)
    ]
    assert_close(found, torch.stack([one.heatmap for one in alone]), 1e-4)


def test_half_precision_is_computed_in_float32(tiny_classifier: Classifier) -> None:
    rough = build(tiny_classifier.checkpoint, "cpu", "bfloat16")
    photo = noise_images(1)
    found = explain(rough, photo, "lrp", target=2)
    assert found.conservation is not None
    assert found.conservation.closes
    widened = replace(tiny_classifier, network=copy.deepcopy(rough.network).float())
    assert_close(found.values, explain(widened, photo, "lrp", target=2).values, 1e-4)


def test_the_badge_says_where_the_score_went(tiny_classifier: Classifier) -> None:
    photo = noise_images(1)
    found = explain(tiny_classifier, photo, "lrp", options={"through": "4a:1x1"})
    assert (found.completeness_error, found.delta, found.layer) == (None, None, None)
    sums = found.conservation
    assert sums is not None
    check = evidence(tiny_classifier, photo, found, ("completeness",)).evidence[0]
    assert isinstance(check, Conserved)
    assert check.passed
    assert found.total == pytest.approx(sums.pixels, rel=1e-4)
    for value in (sums.pixels, sums.biases, sums.stabilisers, sums.set_aside, sums.score):
        assert in_logits(value) in check.sentence
    assert "not through 4a:1x1" in check.sentence
    # A sum that lost something does not pass.
    torn = replace(found, conservation=replace(sums, pixels=sums.pixels + 0.01 * sums.score))
    check = evidence(tiny_classifier, photo, torn, ("completeness",)).evidence[0]
    assert check.passed is False
    assert "does not close" in check.sentence


def test_randomisation_keeps_composite_and_condition(tiny_classifier: Classifier) -> None:
    photo = noise_images(1)
    chosen = {"composite": "epsilon", "through": "3b:3x3"}
    found = explain(tiny_classifier, photo, "lrp", options=chosen)
    (inserted,) = evidence(tiny_classifier, photo, found, ("insertion",)).evidence
    remade = randomisation(Case(tiny_classifier, photo, found), seeds=(0,))
    assert found.options == chosen
    assert inserted.passed is not None
    assert remade.passed is not None


@pytest.mark.parametrize(
    ("options", "head", "words"),
    [
        ({"composite": "magic"}, "main", "allowed: epsilon, epsilon-plus-flat, epsilon-gamma-box, gamma, alpha2-beta1"),
        ({"through": "6z"}, "main", "option through: unknown module '6z'.*3a"),
        ({"through": "4d:7x7"}, "main", "unknown branch '7x7'.*1x1, 3x3, 5x5, pool"),
        ({"through": "4d:5x5:999"}, "main", "4d:5x5 has channels 0 to 3"),
        ({"through": "4d"}, "aux1", "aux1 does not depend on 4d; allowed: 3a, 3b, 4a"),
        ({"through": "4d 5x5"}, "main", "all, or MODULE"),
    ],
)
def test_refusals_say_what_is_allowed(
    options: dict[str, str], head: str, words: str, tiny_classifier: Classifier
) -> None:
    with pytest.raises(AttributionError, match=words):
        explain(tiny_classifier, noise_images(1), "lrp", head, options=options)
