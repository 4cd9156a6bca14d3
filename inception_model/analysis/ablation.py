"""Ablation: branches or channels of the Inception modules switched off, and what the three heads say then.

A module's branches only meet in its concatenation (Figure 2(b)), so an ablation replaces channels of a known output;
the network runs again from there on, and whatever lies before is taken from the Trace.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from ..architecture.address import Part
from ..architecture.network import Heads
from ..architecture.probabilities import RAW, Temperatures, probabilities
from ..architecture.spec import BRANCHES, HeadName, NetworkSpec
from ..images.baselines import baseline
from ..inference.classifier import Classifier
from ..inference.targets import Target
from ..inference.trace import Trace
from ..progress import Progress, report

Fill = Literal["zero", "mean-colour", "mean-blur"]
DEFAULT_FILL: Fill = "zero"


@dataclass(frozen=True)
class FillKind:
    """What channels are set to, in words, and the baseline (`images.baselines`) whose channel means it is, if any.

    `reference`: whether an image of one's own may stand for the baseline.
    """

    words: str
    baseline: str | None
    reference: bool = False

    def of_channels(self, reference: str | None = None) -> str:
        """What channels are set to, within a sentence; `reference`: the name of an image that stands for its own."""
        return f"their mean over {reference}" if reference else f"their {self.words}" if self.baseline else self.words


FILLS: dict[Fill, FillKind] = {
    "zero": FillKind("zero", None),
    "mean-colour": FillKind("mean over an image of the mean colour", "mean", reference=True),
    "mean-blur": FillKind("mean over the blurred photo", "blur"),
}
"""By name: the same name means the same everywhere, on the command line, on the page and in the report."""

REFERENCE_FILLS: tuple[Fill, ...] = tuple(name for name, kind in FILLS.items() if kind.reference)
"""The fills whose baseline an image of one's own may stand for."""


def find_fill(name: str, former: Mapping[str, Fill] | None = None) -> Fill:
    """The fill of that name, or of a `former` one; raises ValueError that lists the names of today."""
    found = (former or {}).get(name, name)
    if found not in FILLS:
        raise ValueError(f"unknown fill {name!r}; allowed: {', '.join(FILLS)}")
    return found


@dataclass(frozen=True)
class Ablation:
    """A set of parts, and what they are set to, by its name in FILLS."""

    parts: tuple[Part, ...]
    fill: Fill = DEFAULT_FILL

    @classmethod
    def parse(cls, texts: Sequence[str], spec: NetworkSpec, fill: str = DEFAULT_FILL) -> Ablation:
        """From `4d`, `4d:5x5`, `4d:5x5:17`, ...; raises ValueError that lists what is allowed."""
        kind = find_fill(fill)
        if not texts:
            raise ValueError("nothing to switch off: name a module, branch or channel, such as 4d, 4d:5x5 or 4d:5x5:17")
        return cls(tuple(dict.fromkeys(Part.parse(text, spec) for text in texts)), kind)

    def modules(self, spec: NetworkSpec) -> tuple[str, ...]:
        """Names of the touched modules, in depth order."""
        touched = {part.module for part in self.parts}
        return tuple(name for name in spec.module_names if name in touched)

    def mask(self, module: str, spec: NetworkSpec) -> Tensor:
        """(C,) bool: the channels of the module's output that are switched off."""
        mask = torch.zeros(spec.block(module).out_channels, dtype=torch.bool)
        for part in self.parts:
            if part.module == module:
                mask[part.channels(spec)] = True
        return mask


@dataclass(frozen=True)
class RankChange:
    """One class of one head on one image, before and after. Ranks count from 1."""

    index: int
    logit: tuple[float, float]
    probability: tuple[float, float]
    rank: tuple[int, int]

    @property
    def delta(self) -> float:
        """Change of the logit."""
        return self.logit[1] - self.logit[0]


@dataclass(frozen=True)
class AblationResult:
    """Logits (N, K) of the heads before and after; float32 on the CPU. `temperatures`: for the probabilities.

    `rerun`: modules that were computed again; the first touched one is not among them, its output was known.
    """

    ablation: Ablation
    before: Heads
    after: Heads
    rerun: tuple[str, ...]
    seconds: float
    temperatures: Temperatures = field(default_factory=lambda: RAW)

    def logits(self, head: HeadName | str) -> tuple[Tensor, Tensor]:
        """(N, K) before and after; raises KeyError where the network has no such head."""
        return self.before.of(head), self.after.of(head)

    def delta(self, head: HeadName | str) -> Tensor:
        """(N, K) change of the logits."""
        before, after = self.logits(head)
        return after - before

    def probabilities(self, head: HeadName | str) -> tuple[Tensor, Tensor]:
        """(N, K) softmax at the head's temperature before and after."""
        before, after = (probabilities(logits, head, self.temperatures) for logits in self.logits(head))
        return before, after

    def ranks(self, head: HeadName | str) -> tuple[Tensor, Tensor]:
        """(N, K) rank of every class before and after, from 1 for the largest logit."""
        before, after = self.logits(head)
        return ranks(before), ranks(after)

    def top(self, head: HeadName | str, k: int = 5, image: int = 0) -> tuple[RankChange, ...]:
        """The classes that are among the best k before or after, in the order of before."""
        logits = [values[image] for values in self.logits(head)]
        places = [values[image] for values in self.ranks(head)]
        chances = [values[image] for values in self.probabilities(head)]
        chosen = (torch.minimum(*places) <= k).nonzero().flatten().tolist()
        return tuple(
            RankChange(
                index,
                (float(logits[0][index]), float(logits[1][index])),
                (float(chances[0][index]), float(chances[1][index])),
                (int(places[0][index]), int(places[1][index])),
            )
            for index in sorted(chosen, key=lambda index: int(places[0][index]))
        )


@dataclass(frozen=True)
class Sweep:
    """Every branch of every module switched off alone: logits after, head -> (M, 4, N, K); before, (N, K)."""

    modules: tuple[str, ...]
    fill: Fill
    before: Heads
    after: dict[str, Tensor]
    seconds: float

    def delta(self, head: HeadName | str) -> Tensor:
        """(M, 4, N, K) change of the logits; exactly 0 where the head lies before the module."""
        before = self.before.of(head)
        return self.after[head] - before

    def score_changes(self, head: HeadName | str, target: Target, image: int = 0) -> list[list[float]]:
        """(M, 4): change of the target's score at one head for one image when that branch is off, in logits."""
        return [[float(target.score(branch)[image]) for branch in module] for module in self.delta(head)]

    def as_dict(self, target: Target, heads: Sequence[HeadName], image: int = 0) -> dict[str, Any]:
        """Head -> module -> branch: the change of one image's score without it, ready for JSON. `heads`: trained."""
        return {
            head: [
                {"module": name, "branches": dict(zip(BRANCHES, changes, strict=True))}
                for name, changes in zip(self.modules, self.score_changes(head, target, image), strict=True)
            ]
            for head in heads
        }


def ranks(logits: Tensor) -> Tensor:
    """(N, K) -> (N, K) place of every class, from 1 for the largest."""
    return logits.argsort(dim=1, descending=True, stable=True).argsort(dim=1) + 1


def channel_means(classifier: Classifier, reference: Tensor) -> dict[str, Tensor]:
    """Module -> (N, C): the mean of every channel of its output over the positions of reference images (N, 3, S, S)."""
    with torch.no_grad():
        outputs = classifier.network.trunk(classifier.to_input(reference))
        return {name: output.float().mean(dim=(2, 3)).cpu() for name, output in outputs}


def fill_means(
    classifier: Classifier, x: Tensor, fill: Fill, reference: Tensor | None = None
) -> dict[str, Tensor] | None:
    """What `ablate` and `sweep` take as `means` for images (N, 3, S, S), normalised; None for the fill "zero".

    Module -> (N, C): every channel's mean over the fill's baseline for these images, or over `reference` (1 or N, 3, S,
    S), normalised; raises ValueError for a reference where the fill takes none.
    """
    kind = FILLS[fill]
    if reference is not None and not kind.reference:
        raise ValueError(f"a reference goes with the fill {' or '.join(REFERENCE_FILLS)}; got {fill}")
    if kind.baseline is None:
        return None
    start = baseline(kind.baseline, x, classifier.preprocessing) if reference is None else reference
    return channel_means(classifier, start)


def ablate(
    classifier: Classifier, trace: Trace, ablation: Ablation, means: Mapping[str, Tensor] | None = None
) -> AblationResult:
    """Switches the parts off for all N images of the trace and asks the heads again.

    `means` comes from `fill_means`, of one image or of N. No hooks: many threads may use one Classifier.
    """
    started = time.perf_counter()
    spec = classifier.network.spec
    modules = ablation.modules(spec)
    masks = {name: ablation.mask(name, spec).unsqueeze(0) for name in modules}
    values = _fill_values(ablation.fill, modules, spec, means)
    first = modules[0]
    after = _run_from(classifier, first, trace.block(first).output, masks, values)
    rerun = spec.module_names[spec.module_names.index(first) + 1 :]
    heads, seconds = _or_else(after, trace.heads), time.perf_counter() - started
    return AblationResult(ablation, trace.heads, heads, rerun, seconds, trace.temperatures)


def sweep(
    classifier: Classifier,
    trace: Trace,
    fill: Fill = DEFAULT_FILL,
    means: Mapping[str, Tensor] | None = None,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Sweep:
    """Switches off every branch of every module, one at a time; a module's four ablations run as one batch.

    `progress` counts modules; setting `cancel` raises Cancelled before the next one.
    """
    started = time.perf_counter()
    spec = classifier.network.spec
    names, images = spec.module_names, len(trace.heads.main)
    values = _fill_values(fill, names, spec, means)
    rows: dict[str, list[Tensor]] = {head: [] for head in trace.heads.present}
    for done, name in enumerate(names):
        report(done, len(names), progress, cancel)
        masks = torch.stack([Ablation((Part(name, kind),)).mask(name, spec) for kind in BRANCHES])  # (4, C)
        output = trace.block(name).output.repeat(len(BRANCHES), 1, 1, 1)  # (4 N, C, H, W), branch by branch
        value = values[name].expand(images, -1).repeat(len(BRANCHES), 1)
        heads = _run_from(classifier, name, output, {name: masks.repeat_interleave(images, 0)}, {name: value})
        for head, logits in rows.items():
            after, before = getattr(heads, head), trace.heads.of(head)
            logits.append((before.repeat(len(BRANCHES), 1) if after is None else after).unflatten(0, (-1, images)))
    report(len(names), len(names), progress, cancel)
    after_all = {head: torch.stack(logits) for head, logits in rows.items()}
    return Sweep(names, fill, trace.heads, after_all, time.perf_counter() - started)


def _fill_values(
    fill: Fill, modules: Sequence[str], spec: NetworkSpec, means: Mapping[str, Tensor] | None
) -> dict[str, Tensor]:
    """Module -> (1 or N, C): what a channel is set to."""
    if fill == "zero":
        return {name: torch.zeros(1, spec.block(name).out_channels) for name in modules}
    if means is None:
        raise ValueError(f"the fill {fill!r} needs the channel means of an image: pass fill_means(...)")
    return {name: means[name] for name in modules}


def _run_from(
    classifier: Classifier, first: str, output: Tensor, masks: Mapping[str, Tensor], values: Mapping[str, Tensor]
) -> Heads:
    """Heads (float32, CPU) from module `first`'s known output (N, C, H, W) on; None for heads that lie before it."""

    def switch_off(name: str, x: Tensor) -> Tensor:
        if name not in masks:
            return x
        mask, value = masks[name].to(x.device), values[name].to(x.device, x.dtype)
        return torch.where(mask[:, :, None, None], value[:, :, None, None], x)

    network = classifier.network
    with torch.no_grad():
        heads = network.heads_from(network.trunk(classifier.to_input(output), resume=first, visit=switch_off))
    return heads.map(lambda logits: logits.float().cpu())


def _or_else(after: Heads, before: Heads) -> Heads:
    return Heads(*(old if new is None else new for new, old in zip(after, before, strict=True)))  # type: ignore[arg-type]
