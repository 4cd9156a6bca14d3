"""METRICS: what is measured of a map on one image, by one batch of changed copies of the image.

Insertion and deletion: Petsiuk et al. 2018 (RISE), with this project's baselines (`trust.curves`) and number of steps.
ROAD: Rong et al. 2022. Average drop and average increase: Chattopadhay et al. 2018 (GradCAM++): the image times the
map's positive part, scaled to 1 at its largest, which leaves the mean colour where the map is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..curves import area, masks, strict_ranking
from .imputation import noisy

Score = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Images (N, 3, S, S) -> probability of the target (N, heads) and whether it is the largest (N, heads)."""


@dataclass(frozen=True)
class Metric:
    """One column of the table. `better`: which way is good; `words`: what it is."""

    name: str
    label: str
    better: Literal["high", "low"]
    words: str


_ROWS = (
    Metric("insertion", "insertion", "high", "area under the target's probability while pixels appear, largest first"),
    Metric("deletion", "deletion", "low", "area under the target's probability while pixels vanish, largest first"),
    Metric("road_morf", "ROAD MoRF", "low", "mean probability with the most relevant pixels imputed"),
    Metric("road_lerf", "ROAD LeRF", "high", "mean probability with the least relevant pixels imputed"),
    Metric("road", "ROAD", "high", "LeRF minus MoRF"),
    Metric("average_drop", "average drop", "low", "share of the probability lost where only the map's places show"),
    Metric("average_increase", "average increase", "high", "share of images whose probability rises by that"),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
"""Every measure by name, in the table's order."""


@dataclass(frozen=True)
class Protocol:
    """How it is measured: `steps` of the curves, shares of pixels that ROAD removes, its noise (normalised values)."""

    steps: int = 8
    removed: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    noise: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.removed or not all(0 < share < 1 for share in self.removed):
            raise ValueError(
                f"a benchmark needs at least 1 step and removes shares between 0 and 1; got {self.steps} steps "
                f"and {', '.join(f'{share:g}' for share in self.removed) or 'no shares'}"
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """0 to 1 in `steps` equal steps."""
        return tuple(step / self.steps for step in range(self.steps + 1))


@dataclass(frozen=True)
class Mark:
    """One map on one image at one head: a value for every metric and the curves that they come from.

    `insertion`, `deletion`: over the protocol's shares; `morf`, `lerf`: over its removed shares; `morf_same`,
    `lerf_same`: whether the answer is still the target.
    """

    values: dict[str, float]
    insertion: tuple[float, ...]
    deletion: tuple[float, ...]
    morf: tuple[float, ...]
    lerf: tuple[float, ...]
    morf_same: tuple[bool, ...]
    lerf_same: tuple[bool, ...]


@dataclass(frozen=True)
class Subject:
    """An image (3, S, S), what stands in for its missing pixels, and the scores (heads) of all three."""

    x: Tensor
    blurred: Tensor
    mean: Tensor
    score: Tensor
    blurred_score: Tensor
    mean_score: Tensor


def measure(heatmap: Tensor, subject: Subject, score: Score, protocol: Protocol, seed: int) -> list[Mark]:
    """A mark per head that `score` answers for, of a map (S, S) on the CPU at the image's size."""
    rank = strict_ranking(heatmap, seed)
    images = torch.cat([*changed(rank, subject, protocol, seed), shown(heatmap, subject)[None]])
    scores, same = score(images)
    inner, removed = len(protocol.shares[1:-1]), len(protocol.removed)
    sizes = [inner, inner, removed, removed, 1]
    parts = list(zip(torch.split(scores, sizes), torch.split(same, sizes), strict=True))
    return [
        _mark([(p[:, head], s[:, head]) for p, s in parts], subject, head, protocol) for head in range(len(same[0]))
    ]


def changed(rank: Tensor, subject: Subject, protocol: Protocol, seed: int) -> list[Tensor]:
    """Copies of the image for insertion, deletion, ROAD with the most and with the least relevant pixels removed."""
    x, device = subject.x, subject.x.device
    touched = masks(rank, protocol.shares[1:-1])[:, None].to(device)
    most = masks(rank, protocol.removed).to(device)
    least = masks(-rank, protocol.removed).to(device)
    copies = x.expand(2 * len(most), -1, -1, -1)
    return [
        torch.where(touched, x, subject.blurred),
        torch.where(touched, subject.mean, x),
        noisy(copies, ~torch.cat([most, least]), protocol.noise, seed),
    ]


def shown(heatmap: Tensor, subject: Subject) -> Tensor:
    """(3, S, S): the image where the map's positive part is largest, fading to the mean colour where it is 0."""
    positive = heatmap.clamp(min=0)
    share = (positive / positive.max().clamp(min=torch.finfo(positive.dtype).tiny)).to(subject.x.device)
    return subject.mean + share * (subject.x - subject.mean)


def _mark(parts: Sequence[tuple[Tensor, Tensor]], subject: Subject, head: int, protocol: Protocol) -> Mark:
    whole, blurred, gone = (float(s[head]) for s in (subject.score, subject.blurred_score, subject.mean_score))
    insertion = (blurred, *parts[0][0].tolist(), whole)
    deletion = (whole, *parts[1][0].tolist(), gone)
    morf, lerf, left = (part[0].tolist() for part in parts[2:])
    values = {
        "insertion": area(protocol.shares, insertion),
        "deletion": area(protocol.shares, deletion),
        "road_morf": sum(morf) / len(morf),
        "road_lerf": sum(lerf) / len(lerf),
        "road": sum(lerf) / len(lerf) - sum(morf) / len(morf),
        "average_drop": max(0.0, whole - left[0]) / whole if whole else 0.0,
        "average_increase": float(left[0] > whole),
    }
    same = [tuple(part[1].tolist()) for part in parts[2:4]]
    return Mark(values, insertion, deletion, tuple(morf), tuple(lerf), same[0], same[1])
