"""A map that is the same everywhere gets no verdict: it ranks nothing, so no check can pass it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from inception_model.architecture.network import GoogLeNet
from inception_model.attribution import Attribution, explain
from inception_model.attribution.reading import numbers
from inception_model.inference.classifier import Classifier
from inception_model.trust import CHECKS, Badge, Case, evidence
from inception_model.trust.randomisation import randomisation


def even(attribution: Attribution, value: float) -> Attribution:
    """The same attribution with values that are the same everywhere."""
    values = torch.full_like(attribution.values, value)
    return replace(attribution, values=values, heatmap=values.sum(0))


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_no_check_passes_an_empty_map(tiny_classifier: Classifier, x: Tensor, value: float) -> None:
    flat = even(explain(tiny_classifier, x, "guided_gradcam"), value)
    assert flat.empty
    badge = evidence(tiny_classifier, x, flat, tuple(CHECKS))
    assert [found.name for found in badge.evidence] == list(CHECKS)
    assert [found.passed for found in badge.evidence] == [None] * len(CHECKS)
    assert badge.state == "no verdict: the map is empty"
    assert badge.failed == ()
    assert all("No verdict: the map is empty" in found.sentence for found in badge.evidence[1:])
    assert "This map is empty" in flat.note
    assert numbers(flat)["empty"] is True


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_a_sum_that_closes_is_no_pass_of_an_empty_map(tiny_classifier: Classifier, x: Tensor, value: float) -> None:
    """As of a black photo from the baseline black: nothing adds up to nothing."""
    flat = even(explain(tiny_classifier, x, "deeplift"), value)
    flat = replace(flat, baseline_score=flat.score - flat.total)
    assert flat.completeness_error == 0
    badge = evidence(tiny_classifier, x, flat, ("completeness",))
    assert badge.state == "no verdict: the map is empty"
    assert badge.evidence[0].passed is None
    assert badge.as_dict()["evidence"][0]["name"] == "completeness"
    assert Badge((), empty=True).state == badge.state, "also where nothing was asked yet"


def test_guided_gradcam_of_an_all_negative_gradcam_is_empty_and_says_why(
    tiny_classifier: Classifier, x: Tensor
) -> None:
    gradcam = [explain(tiny_classifier, x, "gradcam", target=str(index)) for index in range(7)]
    negative = [index for index, found in enumerate(gradcam) if found.all_negative]
    for index in negative:
        found = explain(tiny_classifier, x, "guided_gradcam", target=str(index))
        assert found.empty
        assert "GradCAM has no positive position here" in found.note
    # The network is random: at least one of its classes must be of either kind for this test to say anything.
    assert 0 < len(negative) < len(gradcam)


@dataclass(frozen=True)
class Forgetful(Case):
    """A method whose map is empty for every network with random weights, or for all but the first ones."""

    kept: int = 0

    def again(self, x: Tensor | None = None, network: GoogLeNet | None = None) -> Attribution:
        return even(self.attribution, 0.0)


def test_remade_maps_that_are_empty_are_no_evidence_of_change(tiny_classifier: Classifier, x: Tensor) -> None:
    found = randomisation(Forgetful(tiny_classifier, x, explain(tiny_classifier, x, "saliency")))
    assert found.similarity is None
    assert found.passed is None
    assert set(found.by_depth) == {None}
    assert "every remade map is empty" in found.sentence
