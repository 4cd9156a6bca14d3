"""Concepts of a photo: non-negative matrix factorisation of a module's activations (lucid's neuron groups).

Positions times channels is split into a few maps times directions in the module's channels, none of them negative. What
the class's logit gets through each concept adds up, with the rest that they leave over, to what it gets in all. Of many
photos, whose peaks stand for positions, the directions are groups of channels that light up in the same photos; a
photo's maps along them are the best ones that are not negative.

scikit-learn has the same factorisation, and would come for this alone; the rule here is a page long: coordinate descent
(HALS, Cichocki and Phan 2009) from a start by singular vectors (NNDSVDa, Boutsidis and Gallopoulos 2008), so that no
seed decides what is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..architecture.address import reaches
from ..architecture.spec import HeadName
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..inference.trace import BlockTrace

Floats = NDArray[np.float64]

CONCEPTS = 6
"""How many where nobody says otherwise."""
MOST_CONCEPTS = 12
_ROUNDS = 400
_SETTLED = 1e-6
"""Share of the squared activations by which a round must still lower what is left over."""
_EXACT = 1e-12


@dataclass(frozen=True)
class Concepts:
    """`maps` (K, H, W) and `directions` (K, C) of unit norm, the concept of most activation first; `left`: the share of
    the squared activations that they leave over."""

    maps: Floats
    directions: Floats
    left: float


@dataclass(frozen=True)
class Groups:
    """`shares` (K, N), how strong each group is in every photo, and `directions` (K, C) of unit norm, the group of most
    activation first; `left`: the share of the squared peaks that they leave over."""

    shares: Floats
    directions: Floats
    left: float


def concepts(activations: NDArray[np.floating], count: int = CONCEPTS) -> Concepts:
    """Activations (C, H, W), none negative -> their concepts; raises ValueError for a count that cannot be."""
    channels, rows, columns = activations.shape
    found = groups(np.reshape(activations, (channels, -1)).T, count)
    return Concepts(found.shares.reshape(count, rows, columns), found.directions, found.left)


def groups(activations: NDArray[np.floating], count: int = CONCEPTS) -> Groups:
    """Activations (N, C), none negative -> their groups of channels; raises ValueError for a count that cannot be."""
    most = min(*activations.shape, MOST_CONCEPTS)
    if not 1 <= count <= most:
        raise ValueError(f"{count} concepts were asked for; allowed: 1 to {most}")
    matrix = _checked(activations)
    places, directions = factorised(matrix, count)
    size = np.linalg.norm(directions, axis=1)
    places, directions = places * size, directions / np.where(size > 0, size, 1)[:, None]
    order = np.argsort(-np.linalg.norm(places, axis=0), kind="stable")
    places, directions = places[:, order], directions[order]
    return Groups(places.T, directions, _left(matrix, places, directions))


def along(activations: NDArray[np.floating], directions: Floats) -> Concepts:
    """Activations (C, H, W), none negative, and directions (K, C) -> the maps along these that leave least over."""
    channels, rows, columns = activations.shape
    matrix = _checked(np.reshape(activations, (channels, -1)).T)
    across, gram = matrix @ directions.T, directions @ directions.T
    places = np.zeros((len(matrix), len(directions)))
    before = np.inf
    for _ in range(_ROUNDS):
        _descend(places, across, gram)
        error = float(((places @ gram) * places).sum() - 2 * (places * across).sum())
        if before - error <= _EXACT * float((matrix**2).sum()):  # one best answer, unlike that of a factorisation
            break
        before = error
    return Concepts(places.T.reshape(-1, rows, columns), directions, _left(matrix, places, directions))


def _checked(activations: NDArray[np.floating]) -> Floats:
    matrix = np.asarray(activations, np.float64)
    if (matrix < 0).any():
        raise ValueError("concepts need activations behind a ReLU: some of these are negative")
    return matrix


def _left(matrix: Floats, places: Floats, directions: Floats) -> float:
    whole = float((matrix**2).sum())
    return float(((matrix - places @ directions) ** 2).sum()) / whole if whole else 0.0


def factorised(matrix: Floats, count: int) -> tuple[Floats, Floats]:
    """(n, m), none negative -> (n, count) and (count, m), none negative, whose product comes near it."""
    left, right = _start(matrix, count)
    whole, before = float((matrix**2).sum()), np.inf
    for _ in range(_ROUNDS):
        _descend(left, matrix @ right.T, right @ right.T)
        across, gram = left.T @ matrix, left.T @ left
        _descend(right.T, across.T, gram)
        error = whole - 2 * float((across * right).sum()) + float((gram * (right @ right.T)).sum())
        if before - error <= _SETTLED * whole:
            break
        before = error
    return left, right


def _descend(factor: Floats, target: Floats, gram: Floats) -> None:
    """One round over the columns of a factor, in place: each the best one while the others stand."""
    for place in range(factor.shape[1]):
        if gram[place, place] > 0:
            step = (target[:, place] - factor @ gram[:, place]) / gram[place, place]
            factor[:, place] = np.maximum(factor[:, place] + step, 0)


def _start(matrix: Floats, count: int) -> tuple[Floats, Floats]:
    """Singular vectors, of each pair the stronger of its two signs; zeros become the mean, or they would stay."""
    u, values, v = np.linalg.svd(matrix, full_matrices=False)
    left, right = np.zeros((len(matrix), count)), np.zeros((count, matrix.shape[1]))
    for place in range(count):
        pairs = [(np.maximum(sign * u[:, place], 0), np.maximum(sign * v[place], 0)) for sign in (1, -1)]
        one, other = max(pairs, key=lambda pair: float(np.linalg.norm(pair[0]) * np.linalg.norm(pair[1])))
        size = values[place] ** 0.5
        left[:, place], right[place] = size * one, size * other
    mean = float(matrix.mean()) ** 0.5 / count**0.5
    return np.where(left > 0, left, mean), np.where(right > 0, right, mean)


def concept_credit(
    classifier: Classifier, block: BlockTrace, head: HeadName, target: Target, found: Concepts
) -> tuple[Floats, float]:
    """Credit (K,) of each concept for a head's class or contrast, and of what they leave over, in logits.

    Gradient of the score times the concept's part of the activations; all together is the module's whole credit.
    Raises ValueError where the head hangs before the module.
    """
    network = classifier.network
    if not reaches(network.spec, block.name, head):
        raise ValueError(f"{head} hangs before {block.name}: no concept of {block.name} can push it")
    start = classifier.to_input(block.output[:1]).clone().requires_grad_(True)
    with torch.enable_grad():
        heads = network.heads_from(network.trunk(start, resume=block.name))
        (gradient,) = torch.autograd.grad(target.score(heads.of(head)).sum(), start)
    slopes = np.asarray(gradient[0].double().cpu()).reshape(found.directions.shape[1], -1)
    whole = float((slopes * np.asarray(block.output[0].double()).reshape(slopes.shape)).sum())
    maps = found.maps.reshape(len(found.maps), -1)
    credit = np.einsum("kc,cp,kp->k", found.directions, slopes, maps)
    return credit, whole - float(credit.sum())
