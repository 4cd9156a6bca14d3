"""Cascading model randomisation (Adebayo et al. 2018): does the map notice when what the network learned is gone?

From the head down, the weights of one part after the other are replaced by random ones in a copy of the network. A map
that explains the network must change; one that hardly does draws the image, whatever the network has learned.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..architecture.address import modules_seen
from ..architecture.network import GoogLeNet
from ..architecture.spec import HeadName, NetworkSpec
from ..attribution import METHODS
from .badge import Evidence
from .case import Case, generator
from .spread import SEEDS, Spread, spread_of

STEM = ("conv2", "conv2_reduce", "conv1")

THRESHOLD = 0.5
"""Similarity from which a map fails. Measured with the bundled network (main head) on the five shipped photos, one
random network each: gradient 0.19 to 0.31, SmoothGrad 0.19 to 0.25, input x gradient 0.28 to 0.40, guided backprop
0.88 to 0.93, deconvolution 0.79 to 0.88; GradCAM at 5b with five random networks at most 0.18. Methods that multiply
by the image's difference from a baseline keep some of the image: integrated gradients (0.24 to 0.59) and DeepLift
(0.23 to 0.58) pass on three of the five photos, guided GradCAM (0.16 to 0.89) on two."""


@dataclass(frozen=True)
class Randomisation(Evidence):
    """Spearman's rank correlation of the map with its remakes, one per depth of the cascade.

    `parts` (P): what was randomised last, from the head down (everything named before is random too). `signed` and
    `absolute`: one row of P correlations per seed, of the values as they are and of their sizes (the paper shows both);
    None where a remade map is the same everywhere, which is like nothing and unlike nothing.
    """

    name: ClassVar[str] = "randomisation"
    label: str
    parts: tuple[str, ...]
    signed: tuple[tuple[float | None, ...], ...]
    absolute: tuple[tuple[float | None, ...], ...]
    threshold: float

    @property
    def by_depth(self) -> tuple[float | None, ...]:
        """(P,) signed rank correlation, mean over the seeds whose remade map is not empty; None where all are."""
        return tuple(_mean(column) for column in zip(*self.signed, strict=True))

    @property
    def similarity(self) -> float | None:
        """How alike the maps stay along the whole cascade: the larger of the mean signed and mean absolute
        correlations; None where every remade map is empty."""
        return None if self.spread is None else self.spread.mean

    @property
    def spread(self) -> Spread | None:
        """The similarity with every seed's random network: mean over the cascade, of the signed or of the absolute
        correlations, whichever are larger over all seeds."""
        kinds = [spread_of([_mean(row) for row in rows]) for rows in (self.signed, self.absolute)]
        return max((kind for kind in kinds if kind is not None), key=lambda kind: kind.mean, default=None)

    @property
    def passed(self) -> bool | None:
        return None if self.similarity is None else self.similarity < self.threshold

    @property
    def sentence(self) -> str:
        if self.spread is None:
            return "No verdict: with random weights every remade map is empty, so there is nothing to compare with."
        found = (
            f"With random weights from the {self.parts[0]} down to the {self.parts[-1]}, part by part, the map stays "
            f"alike with a mean rank correlation of {self.spread.words()}"
        )
        if self.passed:
            return f"{found} (below {self.threshold:.2f}): it depends on what the network has learned."
        return (
            f"{found} (must be below {self.threshold:.2f}): {self.label} draws nearly the same for a network that has "
            "learned nothing, so the map is a picture of the image and no evidence for the class."
        )


def cascade(spec: NetworkSpec, head: HeadName) -> dict[str, tuple[str, ...]]:
    """What is randomised, step by step from a head down: name for readers -> names of the network's modules."""
    path = (
        {"classifier": ("classifier",)}
        if head == "main"
        else {f"{head} {part}": (f"{head}.{part}",) for part in ("classifier", "fc", "conv")}
    )
    return {**path, **{name: (name,) for name in reversed(modules_seen(spec, head))}, "stem": STEM}


def weights_hash(network: nn.Module) -> str:
    """SHA-256 over the names and bytes of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def randomise(network: GoogLeNet, modules: Sequence[str], random: torch.Generator) -> None:
    """Replaces weights and biases, in place, by normal ones with the mean and standard deviation that each tensor had.

    Batch norm is folded into the weights, so their scale is what keeps activations alive from layer to layer; a start
    as for training (He) would also have to set the biases, which are no small matter here, to zero.
    """
    with torch.no_grad():
        for name in modules:
            for tensor in network.get_submodule(name).parameters():
                values = tensor.float()
                noise = torch.randn(tensor.shape, generator=random).to(values.device)
                tensor.copy_(noise * values.std(correction=0) + values.mean())


def rank_correlation(first: Tensor, second: Tensor) -> float | None:
    """Spearman's rank correlation of two maps of one shape; None where one of them is the same everywhere."""
    return _correlation(_centred_ranks(first), _centred_ranks(second))


def _correlation(a: Tensor, b: Tensor) -> float | None:
    """Of two maps' centred ranks."""
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def _centred_ranks(values: Tensor) -> Tensor:
    """A map -> (n,) float64 ranks minus their mean; equal values share the mean of their ranks."""
    values = values.flatten()
    _, place, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ranks: Tensor = counts.cumsum(0).double() - (counts.double() - 1) / 2
    return ranks[place] - (len(values) + 1) / 2


def randomisation(case: Case, *, seeds: Sequence[int] = SEEDS, threshold: float = THRESHOLD) -> Randomisation:
    """Remakes the map at every depth of the cascade, once per seed; the target stays what it was.

    The classifier's own network is never written to, and its hash before and after proves it (RuntimeError).
    """
    network, original = case.classifier.network, case.attribution.heatmap
    before = weights_hash(network)
    known, size = _centred_ranks(original), _centred_ranks(original.abs())
    steps = cascade(network.spec, case.attribution.head)
    signed: list[tuple[float | None, ...]] = []
    absolute: list[tuple[float | None, ...]] = []
    for number, seed in enumerate(seeds):
        broken, random = copy.deepcopy(network), generator(seed)
        rows: list[tuple[float | None, float | None]] = []
        for modules in steps.values():
            case.report(number * len(steps) + len(rows), len(seeds) * len(steps))
            randomise(broken, modules, random)
            remade = case.again(network=broken).heatmap
            ranks = _centred_ranks(remade), _centred_ranks(remade.abs())
            rows.append((_correlation(known, ranks[0]), _correlation(size, ranks[1])))
        signed.append(tuple(row[0] for row in rows))
        absolute.append(tuple(row[1] for row in rows))
    case.report(len(seeds) * len(steps), len(seeds) * len(steps))
    if weights_hash(network) != before:
        raise RuntimeError("the network's own weights changed during the randomisation: its answers are not to be used")
    label = METHODS[case.attribution.method].label
    return Randomisation(label, tuple(steps), tuple(signed), tuple(absolute), threshold)
