"""The benchmark's measures on linear scores, whose curves are partial sums, and on scores that were written by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from inception_model.trust.benchmark.metrics import METRICS, Mark, Protocol, Subject, measure, shown
from inception_model.trust.benchmark.rivals import RIVALS
from inception_model.trust.curves import strict_ranking
from tests.compare import relative_norm

SIDE = 8


def subject_of(x: Tensor, score: object) -> Subject:
    gone = torch.zeros_like(x)
    whole, blurred, mean = score(torch.stack([x, gone, gone]))[0]  # type: ignore[operator]
    return Subject(x, gone, gone, whole, blurred, mean)


def linear(weights: Tensor):
    """Each image's sum of weights times pixels, as a share of the sum of the weights; two heads, the second half."""

    def score(images: Tensor) -> tuple[Tensor, Tensor]:
        found = (images.double().mean(1) * weights).sum((1, 2)) / weights.sum()
        return torch.stack([found, found / 2], 1), torch.stack([found > 0.5, found > 2], 1)

    return score


def marks_of(weights: Tensor, heatmap: Tensor, protocol: Protocol) -> list[Mark]:
    x = torch.ones(3, SIDE, SIDE)
    return measure(heatmap, subject_of(x, linear(weights)), linear(weights), protocol, seed=0)


def test_curves_of_a_linear_score_are_partial_sums() -> None:
    weights = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    first, second = marks_of(weights, weights, Protocol(steps=64, removed=(0.5,)))
    falling = np.sort(weights.numpy().ravel())[::-1]
    curve = np.concatenate([[0], np.cumsum(falling)]) / falling.sum()
    area = (curve[:-1] + curve[1:]).sum() / 2 / 64
    assert relative_norm(first.insertion, curve) < 1e-6
    assert relative_norm(first.deletion, 1 - curve) < 1e-6
    assert first.values["insertion"] == pytest.approx(area, rel=1e-6)
    assert first.values["deletion"] == pytest.approx(1 - area, rel=1e-6)
    assert second.values["insertion"] == pytest.approx(area / 2, rel=1e-6)


def test_half_of_the_image_by_hand() -> None:
    weights = torch.zeros(SIDE, SIDE, dtype=torch.float64)
    weights[:, :4] = 1
    right, wrong = (marks_of(weights, heatmap, Protocol(steps=4))[0] for heatmap in (weights, 1 - weights))
    assert right.insertion == pytest.approx((0, 0.5, 1, 1, 1), rel=1e-6)
    assert (right.values["insertion"], right.values["deletion"]) == pytest.approx((0.75, 0.25), rel=1e-6)
    assert (wrong.values["insertion"], wrong.values["deletion"]) == pytest.approx((0.25, 0.75), rel=1e-6)
    assert (right.values["average_drop"], right.values["average_increase"]) == (0, 0)
    assert wrong.values["average_drop"] == pytest.approx(1, rel=1e-6)


def test_drop_and_increase_by_hand() -> None:
    """The map shows half of the pixels wholly, a quarter by half and nothing of the rest, where it is negative."""
    heatmap = torch.full((SIDE, SIDE), -3.0)
    heatmap[:, :4], heatmap[:, 4:6] = 8, 4
    even = torch.ones(SIDE, SIDE, dtype=torch.float64)
    mark = marks_of(even, heatmap, Protocol())[0]
    assert mark.values["average_drop"] == pytest.approx(1 - 0.625, rel=1e-6)
    assert mark.values["average_increase"] == 0
    against = even.clone()
    against[:, 6:] = -1  # what the map hides spoke against the class
    mark = marks_of(against, heatmap, Protocol())[0]
    assert (mark.values["average_drop"], mark.values["average_increase"]) == (0, 1)


def test_a_map_without_positive_values_shows_nothing() -> None:
    x = torch.rand(3, SIDE, SIDE)
    assert torch.equal(
        shown(-torch.ones(SIDE, SIDE), subject_of(x, linear(torch.ones(SIDE, SIDE)))), torch.zeros_like(x)
    )


def test_road_removes_the_right_end_first() -> None:
    """A bright spot on black: imputed from its surroundings it is gone, imputed elsewhere it stays."""
    x = torch.zeros(3, SIDE, SIDE)
    x[:, 2:4, 2:4] = 1
    spot = x[0].double()
    protocol = Protocol(removed=(4 / 64, 0.5), noise=0.0)
    mark = measure(spot.float(), subject_of(x, linear(spot)), linear(spot), protocol, seed=0)[0]
    assert mark.morf[0] == 0
    assert mark.lerf == pytest.approx((1, 1), rel=1e-6)
    assert mark.values["road"] == pytest.approx(mark.values["road_lerf"] - mark.values["road_morf"], rel=1e-9)
    assert mark.lerf_same == (True, True)
    assert mark.morf_same[0] is False


def test_equal_values_are_ordered_by_chance_and_others_as_they_are() -> None:
    heatmap = torch.zeros(SIDE, SIDE)
    heatmap[3, 3], heatmap[0, 0] = 5, -1
    rank = strict_ranking(heatmap, 0)
    assert sorted(rank.flatten().tolist()) == list(range(64))
    assert (int(rank[3, 3]), int(rank[0, 0])) == (63, 0)
    upper = rank[:4].flatten().tolist()
    assert 20 < np.mean(upper) < 44, "not from top to bottom"
    assert torch.equal(rank, strict_ranking(heatmap, 0))
    assert not torch.equal(rank, strict_ranking(heatmap, 1))


def test_rivals_know_the_side_and_the_seed_only() -> None:
    for rival in RIVALS.values():
        heatmap = rival.heatmap(28, 1)
        assert heatmap.shape == (28, 28)
        assert bool((heatmap >= 0).all())
        assert torch.equal(heatmap, rival.heatmap(28, 1))
        assert torch.equal(heatmap, rival.heatmap(28, 2)) is (rival.name == "centre")
    centre = RIVALS["centre"].heatmap(28, 0)
    assert relative_norm(centre, centre.flip(0)) < 1e-6
    assert relative_norm(centre, centre.T) < 1e-6
    assert float(centre[14, 14]) == float(centre.max())


def test_a_protocol_that_measures_nothing_is_refused() -> None:
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="at least 1 step"):
            Protocol(steps=wrong)
    for removed in ((), (0.0,), (0.5, 1.0)):
        with pytest.raises(ValueError, match="shares"):
            Protocol(removed=removed)
    assert {metric.better for metric in METRICS.values()} == {"high", "low"}
