"""LRP in a report: its sum in words, and conditions that are refused before anything is computed."""

from __future__ import annotations

import json

import pytest

from inception_model.attribution import AttributionError, explain
from inception_model.attribution.reading import numbers
from inception_model.inference.classifier import Classifier
from inception_model.report.settings import Settings, check, options_of
from inception_model.report.words import completeness
from tests.random_networks import noise_images


def test_the_sum_stands_below_the_map(tiny_classifier: Classifier) -> None:
    settings = Settings(methods=("lrp", "gradcam"), options=(("through", "4a:3x3"), ("composite", "gamma")))
    chosen = options_of("lrp", settings)
    found = explain(tiny_classifier, noise_images(1), "lrp", "aux2", options=chosen)
    assert found.conservation is not None
    facts = json.loads(json.dumps(numbers(found)))
    assert completeness(facts) == f"In logits: {found.conservation.sentence}"
    assert facts["conservation"]["through"] == "4a:3x3"
    other = numbers(explain(tiny_classifier, noise_images(1), "gradcam"))
    assert other["conservation"] is None
    assert "does not promise a sum" in completeness(other)


@pytest.mark.parametrize(
    ("head", "through", "words"),
    [("main", "4d:5x5:99", "4d:5x5 has channels 0 to 3"), ("aux1", "4d", "aux1 does not depend on 4d")],
)
def test_a_condition_that_is_not_there_is_refused_at_once(
    head: str, through: str, words: str, tiny_classifier: Classifier
) -> None:
    with pytest.raises(AttributionError, match=words):
        check(tiny_classifier, Settings(head=head, methods=("lrp",), options=(("through", through),)))
