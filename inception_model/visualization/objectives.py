"""What a picture is to raise: a channel, one neuron, a direction of a branch, a class, or the difference of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..architecture.spec import NetworkSpec
from ..inference.targets import Target
from .places import Place, UnitError
from .prefix import Rectifier, Values

Position = tuple[int, int]
"""Row and column on a map."""


@dataclass(frozen=True)
class Term:
    """A weighted sum of channels (of classes at a head), over all positions or, with `position`, at one of them."""

    place: Place
    weights: tuple[tuple[int, float], ...]
    position: Position | None = None

    def map(self, values: Tensor) -> Tensor:
        """The sum at every position: (N, C, H, W) -> (N, H, W); of logits (N, K) -> (N,)."""
        channels = [channel for channel, _ in self.weights]
        weights = values.new_tensor([weight for _, weight in self.weights])
        found: Tensor = torch.tensordot(values[:, channels], weights, dims=([1], [0]))
        return found


@dataclass(frozen=True)
class Objective:
    """The sum of its terms, before the ReLU; `name`: in words. A lone channel is measured after its ReLU.

    That is how lucid has it: positions where the channel stays silent cost nothing, so it may leave parts of the
    picture alone. What has negative parts needs the values before the ReLU, which ends at zero.
    """

    terms: tuple[Term, ...]
    name: str

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it reads, each place once."""
        return tuple(dict.fromkeys(term.place for term in self.terms))

    @property
    def rectified(self) -> bool:
        """Whether it is a lone channel or neuron to be raised."""
        (first, *others) = self.terms
        return not others and not first.place.is_head and len(first.weights) == 1 and first.weights[0][1] > 0

    @property
    def positioned(self) -> bool:
        """Whether it is about single positions."""
        return any(term.position is not None for term in self.terms)

    def score(self, values: Values, rectify: Rectifier = torch.relu) -> Tensor:
        """What is raised, one number per image: (N,). Maps are averaged over their positions."""
        total = None
        for term in self.terms:
            found = term.map(values[term.place])
            found = rectify(found) if self.rectified else found
            if found.dim() > 1:
                found = _at(found, term.position) if term.position else found.flatten(1).mean(1)
            total = found if total is None else total + found
        assert total is not None
        return total

    def strength(self, values: Values, *, anywhere: bool = False) -> Tensor:
        """The number that pictures are compared by, (N,): the strongest position of its map, before the ReLU.

        Of several maps, and of a position unless `anywhere` asks for the strongest one, it is the score.
        """
        (first, *others) = self.terms
        if others or first.place.is_head or (first.position is not None and not anywhere):
            return self.score(values, lambda x: x)
        return first.map(values[first.place]).flatten(1).amax(1)


def channel(spec: NetworkSpec, text: str, position: Position | None = None) -> Objective:
    """A channel by its address `4d:5x5:17`, or its neuron at one position; raises UnitError that says what exists."""
    place_text, _, number = text.strip().rpartition(":")
    if not place_text or not number.isdecimal():
        place = Place.parse(text, spec)
        raise UnitError(
            f"{text!r} has {place.width(spec)} channels: name one, {text}:0 to {text}:{place.width(spec) - 1}, or a "
            "direction of several"
        )
    return of_channel(spec, Place.parse(place_text, spec), int(number), position)


def of_channel(spec: NetworkSpec, place: Place, number: int, position: Position | None = None) -> Objective:
    """A channel of a convolution, or its neuron at one position; raises UnitError for an unknown one."""
    _require(place, number, spec)
    where = "" if position is None else f" at row {position[0]}, column {position[1]}"
    return Objective((Term(place, ((number, 1.0),), position),), f"{place}:{number}{where}")


def direction(spec: NetworkSpec, place: Place, weights: Mapping[int, float]) -> Objective:
    """A weighted sum of a convolution's channels, before their ReLUs. Raises UnitError for none or unknown ones."""
    if not any(weights.values()):
        raise UnitError(f"a direction of {place} needs channels with weights other than 0, such as 3=1,17=-0.5")
    for number in weights:
        _require(place, number, spec)
    words = " ".join(f"{weight:+g}×{number}" for number, weight in weights.items())
    return Objective((Term(place, tuple(weights.items())),), f"{place} along {words}")


def class_logit(spec: NetworkSpec, head: str, target: Target) -> Objective:
    """The logit of a class at a head, or the difference of two."""
    weights = ((target.index, 1.0), *(() if target.minus is None else ((target.minus, -1.0),)))
    return Objective((Term(Place.of_head(head, spec), weights),), f"{target.name or target.index} at {head}")


def negative(objective: Objective) -> Objective:
    """The same to be lowered: what the unit is most against. Measured before the ReLU, which would end at zero."""
    return Objective(tuple(_scaled(term, -1) for term in objective.terms), f"against {objective.name}")


def difference(first: Objective, second: Objective) -> Objective:
    """What raises the first and lowers the second; before the ReLU, both averaged over their own positions."""
    terms = (*first.terms, *(_scaled(term, -1) for term in second.terms))
    return Objective(terms, f"{first.name} − {second.name}")


def _scaled(term: Term, factor: float) -> Term:
    return replace(term, weights=tuple((channel, factor * weight) for channel, weight in term.weights))


def _require(place: Place, number: int, spec: NetworkSpec) -> None:
    if not 0 <= number < place.width(spec):
        raise UnitError(f"unknown channel {number} in {place}; it has channels 0 to {place.width(spec) - 1}")


def _at(maps: Tensor, position: Position) -> Tensor:
    rows, columns = maps.shape[1:]
    row, column = position
    if not (0 <= row < rows and 0 <= column < columns):
        raise UnitError(
            f"there is no position {row},{column}: at this size of the picture the map has rows 0 to {rows - 1} and "
            f"columns 0 to {columns - 1}"
        )
    return maps[:, row, column]
