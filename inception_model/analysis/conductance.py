"""The credit ledger: what each branch of each module adds to a score, in sums that close.

At 5b the main logit splits exactly, for an average pool and a linear layer are all that follows (Table 1). At every
module, layer conductance (Dhamdhere et al. 2018) over the four branches adds up to F(x) - F(baseline), because a
module's output is a full cut of the graph; what numerical integration leaves over is the row's residual. Intervals of
the path in which a row misses most are halved until every row's residual is small, or a limit is reached.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from inception_model.progress import Progress, report

from ..architecture.address import modules_seen
from ..architecture.spec import BRANCHES, DEFAULT_HEAD, BlockSpec, HeadName
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..inference.trace import Trace
from .path_walk import Walk, halves
from .quadrature import LIMIT, ROW_ERROR, STEPS

HALVED = 8
"""Intervals that are halved between two looks at the residuals."""


@dataclass(frozen=True)
class ExactSplit:
    """The main head's score of N images as a sum: four branches of 5b and the bias. Float64 on the CPU.

    `branches` (N, 4); `channels` (N, C); `bias` and `score` in logits. No baseline is involved.
    """

    target: Target
    score: Tensor
    branches: Tensor
    channels: Tensor
    bias: float

    @property
    def residual(self) -> Tensor:
        """(N,) score minus the sum: rounding only."""
        return self.score - self.branches.sum(dim=1) - self.bias

    def as_dict(self, image: int = 0) -> dict[str, Any]:
        """The numbers of one image, ready for JSON."""
        return {
            "branches": dict(zip(BRANCHES, self.branches[image].tolist(), strict=True)),
            "bias": self.bias,
            "score": float(self.score[image]),
            "residual": float(self.residual[image]),
        }


@dataclass(frozen=True)
class CreditLedger:
    """Who earned F(x) - F(baseline) of one head, one row per module that the head can see. Float64 on the CPU.

    `table` (M, 4): credit of the branches 1x1, 3x3, 5x5, pool, in logits; `channels`: module -> (C,), credit of every
    channel of its output; `steps`: intervals of the straight path from the baseline to the image, and `row_steps` (M,)
    with how many of them each row's residual came below `wanted` percent (all, where it did not); `gradients`: places
    that were computed for it. Without `wanted` nothing was refined.
    """

    head: HeadName
    target: Target
    score: float
    baseline_score: float
    modules: tuple[str, ...]
    table: Tensor
    channels: dict[str, Tensor]
    steps: int
    seconds: float
    row_steps: tuple[int, ...]
    gradients: int
    wanted: float | None = None

    @property
    def total(self) -> float:
        """F(x) - F(baseline): what every row should add up to."""
        return self.score - self.baseline_score

    @property
    def residuals(self) -> Tensor:
        """(M,) total minus the row's sum: the error of the integration."""
        return self.total - self.table.sum(dim=1)

    @property
    def relative_residuals(self) -> Tensor:
        """(M,) residuals as a share of |total|; not a number where the total is 0."""
        return self.residuals / abs(self.total) if self.total else torch.full_like(self.residuals, torch.nan)

    @property
    def unmet(self) -> tuple[str, ...]:
        """Modules whose residual is not below `wanted` percent: the limit on the work came first."""
        if self.wanted is None or not self.total:
            return ()
        shares = 100 * self.relative_residuals.abs()
        return tuple(name for name, share in zip(self.modules, shares.tolist(), strict=True) if share >= self.wanted)

    @property
    def steps_words(self) -> str:
        """How the path was cut, in a sentence, which says so where the limit came first."""
        if self.wanted is None:
            return f"{self.steps} equal steps."
        if not self.total:
            return f"{self.steps} steps: there is no difference to explain, so no residual has a share of it."
        if not self.unmet:
            return f"{self.steps} steps, {self.gradients} gradients: every row's residual is below {self.wanted:g}%."
        rows = ", ".join(self.unmet) if len(self.unmet) < 4 else f"{len(self.unmet)} rows"
        return (
            f"{self.steps} steps: the limit of gradients was reached (after {self.gradients}) before the residual of "
            f"{rows} fell below {self.wanted:g}%."
        )

    def as_dict(self) -> dict[str, Any]:
        """Every number but those of single channels, ready for JSON."""
        rows = zip(
            self.modules,
            self.table.tolist(),
            self.residuals.tolist(),
            self.relative_residuals.tolist(),
            self.row_steps,
            strict=True,
        )
        return {
            "head": self.head,
            "target": asdict(self.target),
            "score": self.score,
            "baseline_score": self.baseline_score,
            "total": self.total,
            "steps": self.steps,
            "gradients": self.gradients,
            "wanted": self.wanted,
            "steps_words": self.steps_words,
            "seconds": round(self.seconds, 3),
            "modules": [
                {
                    "module": name,
                    "branches": dict(zip(BRANCHES, credits, strict=True)),
                    "sum": sum(credits),
                    "residual": residual,
                    "relative_residual": None if math.isnan(share) else share,
                    "steps": steps,
                    "met": name not in self.unmet,
                }
                for name, credits, residual, share, steps in rows
            ],
        }


def exact_split(classifier: Classifier, trace: Trace, target: Target) -> ExactSplit:
    """The main score of each of the N images of a trace over the four branches of the last module, exactly.

    Zeroing a branch there changes the score by minus its part; the GradCAM map at 5b sums to the four parts.
    """
    block = classifier.network.spec.blocks[-1]
    linear = classifier.network.classifier
    weight = target.score(linear.weight.detach().double().cpu().T)  # (C,): a class's row, or a difference of two
    bias = target.score(linear.bias.detach().double().cpu().unsqueeze(0))
    pooled = trace.block(block.name).output.double().mean(dim=(2, 3))  # (N, C)
    channels = pooled * weight
    score = target.score(trace.logits("main").double())
    return ExactSplit(target, score, _by_branch(channels, block), channels, float(bias))


def credit_ledger(
    classifier: Classifier,
    x: Tensor,
    baseline: Tensor,
    target: Target,
    head: HeadName = DEFAULT_HEAD,
    *,
    steps: int = STEPS,
    error: float | None = ROW_ERROR,
    limit: int = LIMIT,
    batch: int = 8,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> CreditLedger:
    """Layer conductance of every module at once, for one image and one baseline (1, 3, S, S), both normalised.

    The path has `steps` + 1 points, `batch` of them at a time: one forward and one backward pass each give the
    activations h and the gradients g of all modules. A channel's credit is the trapezoid sum of g dh along the path.
    With `error` (percent of F(x) - F(baseline)) the intervals that miss most are halved until every row's residual is
    below it, or another round would need more than `limit` gradients. `progress` counts points; setting `cancel`
    raises Cancelled before the next batch. No hooks are used.
    """
    started = time.perf_counter()
    _check(classifier, x, baseline, head, steps, error)
    modules = modules_seen(classifier.network.spec, head)
    most = steps + 1 if error is None else max(limit, steps + 1)
    walk = Walk(classifier, x.cpu(), baseline.cpu(), target, head, batch, most, progress, cancel)
    grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64).tolist()
    path = walk.intervals(grid, set(pairwise(grid)))
    total = walk.scores[1.0] - walk.scores[0.0]
    since: dict[str, int | None] = dict.fromkeys(modules)
    while True:
        misses = torch.stack([interval.misses for interval in path])  # (intervals, M)
        shares = misses.sum(0).abs() * (100 / abs(total)) if total else torch.zeros(len(modules))
        unmet = shares >= (math.inf if error is None else error)
        for name, over in zip(modules, unmet.tolist(), strict=True):
            since[name] = None if over else since[name] or len(path)
        worst = misses[:, unmet].abs().amax(1).argsort(descending=True)[:HALVED].tolist() if unmet.any() else []
        places, wanted = halves([path[place] for place in sorted(worst)])
        if not worst or walk.done + len(places) > most:
            break
        path = [interval for place, interval in enumerate(path) if place not in worst]
        path = sorted(path + walk.intervals(places, wanted), key=lambda interval: interval.left)
    report(most, most, progress, cancel)
    spec = classifier.network.spec
    sums = {name: torch.stack([interval.credits[name] for interval in path]).sum(0) for name in modules}
    table = torch.stack([_by_branch(sums[name], spec.block(name)) for name in modules])
    return CreditLedger(
        head,
        target,
        walk.scores[1.0],
        walk.scores[0.0],
        modules,
        table,
        sums,
        len(path),
        time.perf_counter() - started,
        tuple(since[name] or len(path) for name in modules),
        walk.done,
        error,
    )


def _check(classifier: Classifier, x: Tensor, baseline: Tensor, head: str, steps: int, error: float | None) -> None:
    if head not in classifier.trained_heads:
        raise ValueError(
            f"the head {head!r} of {classifier.checkpoint.name} is not there or was never trained; "
            f"allowed: {', '.join(classifier.trained_heads)}"
        )
    if x.ndim != 4 or len(x) != 1 or x.shape != baseline.shape:
        raise ValueError(
            f"the ledger takes one image and one baseline of the same shape (1, 3, S, S); "
            f"got {tuple(x.shape)} and {tuple(baseline.shape)}"
        )
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
    if error is not None and not error > 0:
        raise ValueError(f"the error must be above 0 percent; got {error}")


def _by_branch(channels: Tensor, block: BlockSpec) -> Tensor:
    """(..., C) -> (..., 4): sums over the channels of each branch."""
    return torch.stack([channels[..., block.channels(kind)].sum(dim=-1) for kind in BRANCHES], dim=-1)
