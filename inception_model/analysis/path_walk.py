"""Walking along the straight path from a baseline to an image: what every module adds between two places of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from ..architecture.spec import HeadName
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..progress import Progress, report


@dataclass(frozen=True)
class Interval:
    """A piece of the path: its ends, the score's change, and per module the credit (C,) of its channels, float64."""

    left: float
    right: float
    change: float
    credits: dict[str, Tensor]

    @property
    def misses(self) -> Tensor:
        """(M,) what every module's credits leave of the score's change."""
        return self.change - torch.stack([credit.sum() for credit in self.credits.values()])


def halves(path: Sequence[Interval]) -> tuple[list[float], set[tuple[float, float]]]:
    """Ends and middles of these intervals (sorted), each place once, and the pairs of places that are their halves."""
    pairs = [pair for i in path for pair in pairwise((i.left, (i.left + i.right) / 2, i.right))]
    return sorted({place for pair in pairs for place in pair}), set(pairs)


@dataclass
class Walk:
    """Walks along the straight path; activations are kept of one batch only, so a place may be computed again."""

    classifier: Classifier
    x: Tensor
    baseline: Tensor
    target: Target
    head: HeadName
    batch: int
    most: int
    progress: Progress | None
    cancel: threading.Event | None
    done: int = 0
    scores: dict[float, float] = field(default_factory=dict)

    def intervals(self, places: Sequence[float], wanted: set[tuple[float, float]]) -> list[Interval]:
        """The `wanted` ones of the intervals between neighbours of these places (sorted)."""
        found: list[Interval] = []
        last: dict[str, tuple[Tensor, Tensor]] = {}
        for first in range(0, len(places), self.batch):
            chunk = places[first : first + self.batch]
            report(self.done, self.most, self.progress, self.cancel)
            alphas = torch.tensor(chunk, dtype=self.x.dtype).view(-1, 1, 1, 1)
            scores, states = _states(self.classifier, torch.lerp(self.baseline, self.x, alphas), self.target, self.head)
            self.scores.update(zip(chunk, scores.tolist(), strict=True))
            self.done += len(chunk)
            pairs = list(pairwise(places[max(0, first - 1) : first + len(chunk)]))
            credits = {}
            for name, (h, g) in states.items():
                if name in last:
                    h, g = torch.cat([last[name][0], h]), torch.cat([last[name][1], g])
                credit = (g[1:] + g[:-1]) / 2 * (h[1:] - h[:-1])
                credits[name] = credit.sum(dim=(2, 3), dtype=torch.float64).cpu()
                last[name] = h[-1:], g[-1:]
            for number, (left, right) in enumerate(pairs):
                if (left, right) in wanted:
                    change = self.scores[right] - self.scores[left]
                    own = {name: credit[number] for name, credit in credits.items()}
                    found.append(Interval(left, right, change, own))
        return found


def _states(
    classifier: Classifier, points: Tensor, target: Target, head: HeadName
) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """Scores (n,) at the points (n, 3, S, S), and per module its output and the score's gradient there, float32."""
    network = classifier.network
    seen: dict[str, Tensor] = {}

    def watch(name: str, output: Tensor) -> Tensor:
        # The weights are frozen, so the graph starts at the first module's output: the stem needs no backward pass.
        seen[name] = output if output.requires_grad else output.detach().requires_grad_()
        return seen[name]

    with torch.enable_grad():
        score = target.score(network.head_logits(classifier.to_input(points), head, visit=watch))
        gradients = torch.autograd.grad(score.sum(), list(seen.values()))
    states = {name: (h.detach().float(), g.float()) for (name, h), g in zip(seen.items(), gradients, strict=True)}
    return score.detach().float().cpu(), states
