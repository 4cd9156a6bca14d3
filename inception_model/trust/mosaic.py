"""Mosaics of 2 x 2 photos: a map for one photo's class should lie on that photo, and no place is better by itself.

Two published layouts. `focus` (Arias-Duart et al. 2022): two photos of the target class and one of each of two other
classes, so that a map that knows nothing gets 50%. `grid` (the grid pointing game, Boehle et al. 2021): four photos of
four classes, one of them the target, 25%. Both measure the share of positive relevance in the target's quadrants, and
here also whether the strongest position lies there.

Photos meet without a border. A unit next to a seam sees both sides of it, so some relevance crosses it by right;
nothing is cut off for that. Coarse maps are judged by their own cells (at 448 pixels 5b has 14 x 14, seven to a photo)
and not enlarged first, which would carry half a cell over the seam.

What the heads do with the larger picture: main averages over all positions, so its logit is the mean of the four
photos' but for the seams. Adaptive auxiliary pools average to 4 x 4 whatever comes, so a photo fills 2 x 2 of the
positions that their linear layer tells apart, as a small object in a corner would. The paper's own auxiliary heads take
224 pixels only: four photos of 112.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..images.geometry import Box
from ..inference.classifier import Classifier
from ..training.data import DatasetError, LabelledImages
from ..training.fingerprint import fingerprint
from .localization import energy_inside, peaks
from .measuring import Marks, Trial

Layout = Literal["focus", "grid"]
TARGETS: dict[Layout, int] = {"focus": 2, "grid": 1}
"""Photos of the target class by layout."""

_AT_ONCE = 16
"""Photos that are asked about at a time where only those count that the heads know."""


@dataclass(frozen=True)
class QuadrantJudge:
    """Marks a map by the quadrants of its target, which are numbered by rows: (focus, pointing).

    Focus is None where nothing is positive. Where several cells share the maximum, a hit is the share of them that lie
    in the quadrants, one on the seam half. A map that is the same everywhere points nowhere and misses.
    """

    quadrants: tuple[int, ...]

    def of(self, heatmap: Tensor) -> Marks:
        """A hit is 1.0, a miss 0.0."""
        points = peaks(heatmap, 2) if float(heatmap.max()) > float(heatmap.min()) else []
        inside = [_share_at(x, y, number) for x, y in points for number in self.quadrants]
        return self.focus(heatmap), sum(inside) / max(1, len(points))

    def focus(self, heatmap: Tensor) -> float | None:
        """(h, h) -> share of its positive values in the target's quadrants; None where nothing is positive."""
        shares = [energy_inside(heatmap, quadrant(number, len(heatmap))) for number in self.quadrants]
        return None if shares[0] is None else sum(share for share in shares if share is not None)

    def baseline(self, name: str, seed: int) -> Marks:
        """`centre`: the four middle pixels, of which every quadrant has one."""
        if name == "random":
            return self.of(torch.rand(448, 448, generator=torch.Generator().manual_seed(seed)))
        share = len(self.quadrants) / 4
        return (share, None) if name == "even" else (self.focus(torch.ones(2, 2)), share)


def _share_at(x: float, y: float, number: int) -> float:
    """How much of a point of a square of side 2 counts for the quadrant: half on a seam, a quarter where both cross."""
    right, below = ((at > 1) + (at == 1) / 2 for at in (x, y))
    row, column = divmod(number, 2)
    return (right if column else 1 - right) * (below if row else 1 - below)


def quadrant(number: int, side: int) -> Box:
    """The quadrant of a square: 0 and 1 above, 2 and 3 below."""
    row, column = divmod(number, 2)
    half = side / 2
    return Box(column * half, row * half, (column + 1) * half, (row + 1) * half)


class Deck:
    """A class's photos in a fixed order, of which only those count that pass; dealt again when all were dealt."""

    def __init__(self, photos: Sequence[int], passes: Callable[[Sequence[int]], Sequence[bool]]) -> None:
        self._unseen, self._passes = list(photos), passes
        self._passed: list[int] = []
        self._next = 0

    def deal(self, count: int) -> list[int] | None:
        """The next `count` different photos; None where the class has not so many."""
        while self._next + count > len(self._passed) and self._unseen:
            look, self._unseen = self._unseen[:_AT_ONCE], self._unseen[_AT_ONCE:]
            self._passed += [photo for photo, good in zip(look, self._passes(look), strict=True) if good]
        if len(self._passed) < count:
            return None
        dealt = [self._passed[(self._next + k) % len(self._passed)] for k in range(count)]
        self._next += count
        return dealt


class Mosaics:
    """`count` mosaics of the photos of a data set as trials, each class in turn as the target.

    The seed decides the order of classes and photos, the other classes and the places. `tile`: a photo's side in the
    mosaic, by default the network's own. `known`: only photos that each of these heads answers with their class. Raises
    DatasetError where there are too few classes or photos, or where a head can't take a picture of that size.
    """

    measures = ("focus", "pointing")
    by_class: tuple[str, ...] = ()

    def __init__(
        self,
        classifier: Classifier,
        images: LabelledImages,
        heads: Sequence[str],
        *,
        layout: Layout = "focus",
        count: int | None = None,
        seed: int = 0,
        tile: int | None = None,
        known: bool = False,
    ) -> None:
        own = classifier.preprocessing
        side = tile or own.size
        self.classifier, self.images, self.heads = classifier, images, tuple(heads)
        self.kind, self.seed, self.known = layout, seed, known
        self.preprocessing = replace(own, size=side, resize=round(own.resize * side / own.size))
        self._check(2 * side)
        random = np.random.default_rng(seed)
        classes = sorted(set(images.labels.tolist()))
        self.count = len(classes) if count is None else count
        shuffled = {label: random.permutation(np.flatnonzero(images.labels == label)).tolist() for label in classes}
        self._decks = {label: Deck(photos, self._passes) for label, photos in shuffled.items()}
        self._dealt: list[_Mosaic] = []
        self._dealer = self._deal(random, classes, TARGETS[layout])

    def __len__(self) -> int:
        return self.count

    def settings(self) -> dict[str, Any]:
        """All that decides the mosaics."""
        told = {"seed": self.seed, "tile": self.preprocessing.size, "known": self.known}
        # Which photos pass depends on the heads that are asked.
        heads = {"known_heads": list(self.heads)} if self.known else {}
        return {**told, **heads, "data_crc32": fingerprint(self.images)}

    def part(self, start: int, stop: int) -> list[Trial]:
        """The mosaics with these numbers."""
        while len(self._dealt) < stop:
            self._dealt.append(next(self._dealer))
        return [self._trial(mosaic) for mosaic in self._dealt[start:stop]]

    def _trial(self, mosaic: _Mosaic) -> Trial:
        tiles = [self.preprocessing(self.images[photo][0]) for photo in mosaic.photos]
        rows = [torch.cat(tiles[:2], dim=3), torch.cat(tiles[2:], dim=3)]
        return Trial(torch.cat(rows, dim=2), mosaic.label, mosaic.photos, QuadrantJudge(mosaic.quadrants))

    def _deal(self, random: np.random.Generator, classes: list[int], targets: int) -> Iterator[_Mosaic]:
        others = _forever(random, classes)
        while True:
            dealt = False
            for label in random.permutation(classes).tolist():
                photos = self._decks[label].deal(targets)
                if photos is not None and (rest := self._others(others, label, 4 - targets)) is not None:
                    dealt = True
                    yield _placed(random, label, photos, rest)
            if not dealt:
                right = " that the heads know" if self.known else ""
                raise DatasetError(f"the data have too few photos{right} of too few classes for a mosaic")

    def _others(self, others: Iterator[int], label: int, count: int) -> list[int] | None:
        """A photo of each of so many other classes."""
        taken: dict[int, int] = {}
        for _ in range(2 * len(self._decks)):
            other = next(others)
            if other != label and other not in taken and (photos := self._decks[other].deal(1)) is not None:
                taken[other] = photos[0]
            if len(taken) == count:
                return list(taken.values())
        return None

    def _passes(self, photos: Sequence[int]) -> Sequence[bool]:
        if not self.known:
            return [True] * len(photos)
        # As the network sees a photo outside of a mosaic.
        x = torch.cat([self.classifier.preprocessing(self.images[photo][0]) for photo in photos])
        answers = self.classifier.heads_of(x)
        labels = torch.tensor(self.images.labels[list(photos)])
        right = torch.stack([answers.of(head).argmax(1) == labels for head in self.heads])
        passed: list[bool] = right.all(0).tolist()
        return passed

    def _check(self, side: int) -> None:
        pools = {aux.name: aux.pool for aux in self.classifier.checkpoint.spec.aux}
        if fixed := [head for head in self.heads if pools.get(head) == "avg5x3" and side != 224]:  # type: ignore[call-overload]
            raise DatasetError(f"{', '.join(fixed)} of this network take 224x224 pixels only: use tiles of 112 pixels")


@dataclass(frozen=True)
class _Mosaic:
    """Four photos by rows, the target class and the quadrants that show it."""

    photos: tuple[int, ...]
    label: int
    quadrants: tuple[int, ...]


def _placed(random: np.random.Generator, label: int, photos: list[int], rest: list[int]) -> _Mosaic:
    order = random.permutation(4).tolist()
    every = [*photos, *rest]
    quadrants = tuple(place for place, number in enumerate(order) if number < len(photos))
    return _Mosaic(tuple(every[number] for number in order), label, quadrants)


def _forever(random: np.random.Generator, classes: list[int]) -> Iterator[int]:
    while True:
        yield from random.permutation(classes).tolist()
