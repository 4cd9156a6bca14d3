"""Completeness, and all checks together: plain data, how they stop, and the badge's words."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from torch import Tensor

from inception_model.attribution import explain
from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.serving.service import hook_count
from inception_model.trust import CHECKS, QUICK, Badge, evidence, weights_hash
from inception_model.trust.completeness import completeness
from tests.trust.cases import case_of

# Completeness


def test_a_sum_that_closes_passes_one_that_does_not_fails_and_no_promise_is_no_verdict(
    tiny_classifier: Classifier, x: Tensor
) -> None:
    case = case_of(tiny_classifier, x, "deeplift")
    found = completeness(case)
    assert found.passed is True
    assert found.difference == pytest.approx(found.total, rel=1e-3)
    doubled = completeness(replace(case, attribution=replace(case.attribution, values=2 * case.attribution.values)))
    assert doubled.passed is False
    assert doubled.error == pytest.approx(1, rel=1e-3)
    assert "does not close" in doubled.sentence
    free = completeness(case_of(tiny_classifier, x, "saliency"))
    assert free.passed is None
    assert "does not promise" in free.sentence


# All together


def test_every_check_runs_is_plain_data_and_leaves_nothing_behind(tiny_classifier: Classifier, x: Tensor) -> None:
    before, told = weights_hash(tiny_classifier.network), list[tuple[int, int]]()
    known = explain(tiny_classifier, x, "gradcam", "aux1", "2-5", layer="3b:3x3")
    badge = evidence(tiny_classifier, x, known, tuple(CHECKS), progress=lambda done, total: told.append((done, total)))
    assert [found.name for found in badge.evidence] == list(CHECKS)
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert len({total for _, total in told}) == 1
    assert weights_hash(tiny_classifier.network) == before
    assert hook_count(tiny_classifier.network) == 0
    plain = json.loads(json.dumps(badge.as_dict()))
    assert [row["name"] for row in plain["evidence"]] == list(CHECKS)
    assert all(row["sentence"].endswith(".") for row in plain["evidence"])
    assert all(row["sentence"] in badge.words for row in plain["evidence"] if row["passed"] is False)


@pytest.mark.parametrize("name", list(CHECKS))
def test_every_check_can_be_stopped(tiny_classifier: Classifier, x: Tensor, name: str) -> None:
    known = explain(tiny_classifier, x, "saliency", "aux1")
    stop = threading.Event()

    def stop_soon(done: int, total: int) -> None:
        if done > 0 or name == "completeness":
            stop.set()

    if name == "completeness":
        stop.set()
    with pytest.raises(Cancelled):
        evidence(tiny_classifier, x, known, [name, "completeness"], progress=stop_soon, cancel=stop)
    assert hook_count(tiny_classifier.network) == 0


def test_the_badge_counts_in_words(tiny_classifier: Classifier, x: Tensor) -> None:
    deeplift = completeness(case_of(tiny_classifier, x, "deeplift"))
    saliency = completeness(case_of(tiny_classifier, x, "saliency"))
    failed = replace(deeplift, error=0.5)
    assert Badge(()).state == Badge((saliency,)).state == "not checked"
    assert Badge((deeplift, saliency)).state == "passes 1 of 1 checks"
    assert Badge((deeplift, failed)).state == "fails completeness"
    assert Badge((deeplift, failed)).words == failed.sentence
    assert Badge((deeplift,)).words == ""
    assert set(QUICK) == {"completeness", "convergence", "insertion", "deletion", "sparseness"}


def test_an_unknown_check_lists_the_known_ones(tiny_classifier: Classifier, x: Tensor) -> None:
    known = explain(tiny_classifier, x, "saliency", "aux1")
    with pytest.raises(KeyError, match=", ".join(CHECKS)):
        evidence(tiny_classifier, x, known, ["vibes"])
