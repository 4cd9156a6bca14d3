"""Insertion and deletion: ends and points that are known, areas, and the random rankings beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inception_model.attribution import explain
from inception_model.images.baselines import baseline
from inception_model.inference.classifier import Classifier
from inception_model.trust import Case, curves
from inception_model.trust.curves import area, curve, masks, random_rankings
from inception_model.trust.randomisation import rank_correlation
from tests.compare import assert_close, relative_norm
from tests.trust.cases import case_of


@pytest.mark.parametrize(("head", "target"), [("main", "auto"), ("aux1", "3"), ("aux2", "4-2")])
def test_curves_end_at_the_image_and_at_the_baseline(
    tiny_classifier: Classifier, x: Tensor, head: str, target: str
) -> None:
    case = case_of(tiny_classifier, x, "gradcam", head=head, target=target)
    goal = case.attribution.target

    def truth(images: Tensor) -> float:
        logits = tiny_classifier.heads_of(images).of(head)
        return float(logits.softmax(1)[0, goal.index] if goal.minus is None else goal.score(logits)[0])

    there = truth(x)
    # A contrast is a difference of two logits, a probability the exponential of one.
    size = 1.0 if goal.minus is None else float(tiny_classifier.heads_of(x).of(head).norm())
    for direction, name in (("deletion", "mean"), ("insertion", "blur")):
        found = curve(case, direction, steps=4, rivals=2)  # type: ignore[arg-type]
        start, end = there, truth(baseline(name, x, tiny_classifier.preprocessing))
        start, end = (start, end) if direction == "deletion" else (end, start)
        for scores in (found.scores, *found.random):
            assert len(scores) == 5
            assert_close((scores[0], scores[-1]), (start, end), scale=size)
        assert found.unit == ("probability" if goal.minus is None else "difference of logits")


def test_a_point_of_the_curve_is_the_image_with_those_pixels_replaced(tiny_classifier: Classifier, x: Tensor) -> None:
    """By a difference of logits: this network is so sure of its answer that its probability never moves."""
    case = case_of(tiny_classifier, x, "saliency", target="4-2")
    pixels = case.attribution.heatmap.flatten()
    top = torch.zeros(len(pixels))
    top[pixels.topk(len(pixels) // 4).indices] = 1
    mask = top.view(1, 1, *x.shape[2:])
    blurred = baseline("blur", x, tiny_classifier.preprocessing)
    size = float(tiny_classifier.heads_of(x).main.norm())
    for direction, image in (("deletion", x * (1 - mask)), ("insertion", x * mask + blurred * (1 - mask))):
        logits = tiny_classifier.heads_of(image).main[0]
        found = curve(case, direction, steps=4, rivals=2).scores[1]  # type: ignore[arg-type]
        assert_close(found, float(logits[4] - logits[2]), 1e-4, scale=size)


def test_deletion_of_a_known_object_has_a_known_area(
    tiny_classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The score is the brightness of the upper left quarter: deleting just that takes it down to 0 at a share of 1/4.
    monkeypatch.setattr(
        curves, "score_function", lambda _: (lambda images: images[:, 0, :112, :112].mean((1, 2)), "brightness")
    )
    ones = torch.ones(1, 3, 224, 224)
    heatmap = torch.rand(224, 224, generator=torch.Generator().manual_seed(0))
    heatmap[:112, :112] += 1
    known = replace(explain(tiny_classifier, ones, "saliency"), heatmap=heatmap)
    right = curve(Case(tiny_classifier, ones, known), "deletion", steps=8)
    assert_close(right.scores, (1, 0.5, 0, 0, 0, 0, 0, 0, 0), 1e-6)
    assert right.auc == pytest.approx(0.125)
    assert right.passed
    assert "better than" in right.sentence
    wrong = curve(Case(tiny_classifier, ones, replace(known, heatmap=-heatmap)), "deletion", steps=8)
    assert wrong.auc == pytest.approx(0.875, rel=1e-6)
    assert not wrong.passed
    assert wrong.gain < 0
    assert "not better than" in wrong.sentence


def test_masks_take_the_largest_first_and_areas_are_trapezia() -> None:
    ranking = torch.tensor([[5.0, 1.0], [3.0, 4.0]])
    assert masks(ranking, (0.25, 0.5, 1.0)).tolist() == [
        [[True, False], [False, False]],
        [[True, False], [False, True]],
        [[True, True], [True, True]],
    ]
    tied = torch.tensor([[5.0, 1.0], [3.0, 3.0]])
    halves = {tuple(masks(tied, (0.5,), seed).flatten().tolist()) for seed in range(20)}
    assert halves == {(True, False, True, False), (True, False, False, True)}, "equal values are ordered by chance"
    assert area((0, 0.5, 1), (1, 0, 0)) == 0.25


def test_equal_values_are_not_taken_from_the_top() -> None:
    corner = torch.zeros(224, 224)
    corner[-8:, -8:] = 1.0
    (half,) = masks(corner, (0.5,))
    assert half[-8:, -8:].all()
    assert int(half.sum()) == 224 * 112
    assert 0.4 < float(half[:112].sum() / half.sum()) < 0.6


def test_random_rankings_are_as_grainy_as_the_map_and_follow_their_seed() -> None:
    heatmap = torch.nn.functional.interpolate(torch.randn(1, 1, 7, 7), size=(64, 64), mode="bilinear")[0, 0]
    rivals = random_rankings(heatmap, 3, seed=1)
    wanted = torch.fft.rfft2(heatmap.double()).abs().expand(3, -1, -1)
    # Where a frequency must be real, its phase is 0 or 180 degrees; the size stays.
    assert relative_norm(torch.fft.rfft2(rivals).abs(), wanted) < 1e-6
    assert torch.equal(rivals, random_rankings(heatmap, 3, seed=1))
    assert abs(rank_correlation(rivals[0], rivals[1])) < 0.5
