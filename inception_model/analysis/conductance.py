"""The credit ledger: what each branch of each module adds to a score, in sums that close.

At 5b the main logit splits exactly, for an average pool and a linear layer are all that follows (Table 1). At every
module, layer conductance (Dhamdhere et al. 2018) over the four branches adds up to F(x) - F(baseline), because a
module's output is a full cut of the graph; what numerical integration leaves over is the row's residual.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from inception_model.progress import Progress, report

from ..architecture.address import modules_seen
from ..architecture.spec import BRANCHES, DEFAULT_HEAD, BlockSpec, HeadName
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..inference.trace import Trace

DEFAULT_STEPS = 50
"""Intervals of the path along which credit is added up."""


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
    channel of its output; `steps`: intervals of the straight path from the baseline to the image.
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

    def as_dict(self) -> dict[str, Any]:
        """Every number but those of single channels, ready for JSON."""
        rows = zip(
            self.modules, self.table.tolist(), self.residuals.tolist(), self.relative_residuals.tolist(), strict=True
        )
        return {
            "head": self.head,
            "target": asdict(self.target),
            "score": self.score,
            "baseline_score": self.baseline_score,
            "total": self.total,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "modules": [
                {
                    "module": name,
                    "branches": dict(zip(BRANCHES, credits, strict=True)),
                    "sum": sum(credits),
                    "residual": residual,
                    "relative_residual": None if math.isnan(share) else share,
                }
                for name, credits, residual, share in rows
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
    steps: int = DEFAULT_STEPS,
    batch: int = 8,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> CreditLedger:
    """Layer conductance of every module at once, for one image and one baseline (1, 3, S, S), both normalised.

    The path has `steps` + 1 points, `batch` of them at a time: one forward and one backward pass each give the
    activations h and the gradients g of all modules. A channel's credit is the trapezoid sum of g dh along the path.
    `progress` counts points; setting `cancel` raises Cancelled before the next batch. No hooks are used.
    """
    started = time.perf_counter()
    _check(classifier, x, baseline, head, steps)
    spec = classifier.network.spec
    modules = modules_seen(spec, head)
    sums = {name: torch.zeros(spec.block(name).out_channels, dtype=torch.float64) for name in modules}
    scores: list[Tensor] = []
    last: dict[str, tuple[Tensor, Tensor]] = {}
    alphas = torch.linspace(0, 1, steps + 1).view(-1, 1, 1, 1)
    for chunk in torch.split(alphas, batch):
        report(sum(map(len, scores)), steps + 1, progress, cancel)
        chunk_scores, states = _states(classifier, torch.lerp(baseline.cpu(), x.cpu(), chunk), target, head)
        scores.append(chunk_scores)
        for name, (h, g) in states.items():
            if name in last:
                h, g = torch.cat([last[name][0], h]), torch.cat([last[name][1], g])
            credit = (g[1:] + g[:-1]) / 2 * (h[1:] - h[:-1])
            sums[name] += credit.sum(dim=(0, 2, 3), dtype=torch.float64).cpu()
            last[name] = h[-1:], g[-1:]
    report(steps + 1, steps + 1, progress, cancel)
    along = torch.cat(scores)
    table = torch.stack([_by_branch(sums[name], spec.block(name)) for name in modules])
    seconds = time.perf_counter() - started
    return CreditLedger(head, target, float(along[-1]), float(along[0]), modules, table, sums, steps, seconds)


def _check(classifier: Classifier, x: Tensor, baseline: Tensor, head: str, steps: int) -> None:
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


def _by_branch(channels: Tensor, block: BlockSpec) -> Tensor:
    """(..., C) -> (..., 4): sums over the channels of each branch."""
    return torch.stack([channels[..., block.channels(kind)].sum(dim=-1) for kind in BRANCHES], dim=-1)
