"""Concepts against a factorisation that is known, scipy's non-negative least squares, and sums that must close."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from inception_model.analysis.channel_effects import channel_effects
from inception_model.circuits.concepts import along, concept_credit, concepts, factorised, groups
from inception_model.inference.classifier import Classifier
from inception_model.inference.targets import Target
from inception_model.inference.trace import capture
from tests.compare import assert_close
from tests.random_networks import noise_images


def test_planted_concepts_are_found() -> None:
    """Three directions, each alone somewhere: then the factorisation is the only one there is."""
    random = np.random.default_rng(2)
    maps = random.uniform(0, 1, (3, 8, 8)) * np.asarray([3, 2, 1])[:, None, None]
    maps[:, :3] *= np.eye(3)[:, :, None]
    directions = random.uniform(0, 1, (3, 20)) * (random.uniform(size=(3, 20)) > 0.5)
    directions[:, :3] = np.eye(3)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found = concepts(np.einsum("kc,kyx->cyx", directions, maps), 3)
    assert found.left < 1e-3
    order = (found.directions @ directions.T).argmax(axis=1)
    assert sorted(order) == [0, 1, 2]
    assert_close(found.directions, directions[order], 0.05)
    assert_close(found.maps, maps[order], 0.05)


def test_a_factor_is_the_best_one_while_the_other_stands() -> None:
    matrix = np.random.default_rng(3).gamma(0.7, size=(40, 30))
    left, right = factorised(matrix, 4)
    assert (left >= 0).all()
    assert (right >= 0).all()
    best = np.stack([optimize.nnls(right.T, row)[0] for row in matrix])
    ours, theirs = (np.linalg.norm(matrix - one @ right) for one in (left, best))
    assert ours == pytest.approx(theirs, rel=1e-3)
    # More of them leave less over; the least that any factors can leave is what the singular values say.
    values = np.linalg.svd(matrix, compute_uv=False)
    lefts = [concepts(matrix.T.reshape(30, 8, 5), count).left for count in (1, 4, 8)]
    assert lefts == sorted(lefts, reverse=True)
    assert lefts[0] == pytest.approx((values[1:] ** 2).sum() / (values**2).sum(), rel=1e-4)


def test_credit_of_all_concepts_and_the_rest_is_the_modules(exact_tiny_classifier: Classifier) -> None:
    block = capture(exact_tiny_classifier, noise_images(1)).block("4d")
    found = concepts(block.output[0].numpy(), 5)
    credit, rest = concept_credit(exact_tiny_classifier, block, "main", Target(2, 4), found)
    effects = channel_effects(exact_tiny_classifier, block, "main", [2, 4]).values["output"].sum(dim=1)
    assert_close(credit.sum() + rest, float(effects[0] - effects[1]), 1e-5, scale=float(np.abs(credit).sum()))
    with pytest.raises(ValueError, match="hangs before 4d"):
        concept_credit(exact_tiny_classifier, block, "aux1", Target(2), found)
    with pytest.raises(ValueError, match="allowed: 1 to 12"):
        concepts(block.output[0].numpy(), 13)
    with pytest.raises(ValueError, match="negative"):
        concepts(-np.ones((3, 4, 4)), 2)
    silent = concepts(np.zeros((3, 4, 4)), 2)
    assert (silent.left, silent.maps.max()) == (0, 0)


def test_groups_of_channels_that_light_up_in_the_same_photos() -> None:
    random = np.random.default_rng(4)
    directions = np.kron(np.eye(3), np.ones(4)) / 2  # three groups of four channels each
    shares = random.uniform(0, 1, (3, 50)) * np.asarray([1, 3, 2])[:, None]
    shares[:, :30] *= np.repeat(np.eye(3), 10, axis=1)  # each alone in some, or they could be mixed
    found = groups(shares.T @ directions, 3)
    assert found.left < 1e-6
    assert_close(found.directions, directions[[1, 2, 0]], 1e-2)
    assert_close(found.shares, shares[[1, 2, 0]], 2e-2)


def test_maps_along_directions_are_scipys_best_that_are_not_negative() -> None:
    random = np.random.default_rng(5)
    activations, directions = random.gamma(0.7, size=(9, 4, 5)), np.abs(random.normal(size=(3, 9)))
    found = along(activations, directions)
    matrix = activations.reshape(9, -1).T
    best = np.stack([optimize.nnls(directions.T, row)[0] for row in matrix])
    assert_close(found.maps.reshape(3, -1).T, best, 1e-3)
    assert found.left == pytest.approx(float(((matrix - best @ directions) ** 2).sum() / (matrix**2).sum()), rel=1e-4)
    assert found.directions is directions
    with pytest.raises(ValueError, match="negative"):
        along(-activations, directions)
