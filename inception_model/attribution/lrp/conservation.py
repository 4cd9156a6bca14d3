"""Where a score went: the sums that a pass of relevance leaves behind, and whether they close."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...architecture.spec import BRANCHES, BlockSpec

ALLOWED = 1e-4
"""Largest remainder of a sum that closes, as a share of the score."""
STRONGEST = 5
"""Channels that are named per module."""


def in_logits(value: float) -> str:
    """A number of logits in a sentence: three digits behind the point, or what is left of a smaller one."""
    return f"{value:+.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:+.1e}"


@dataclass(frozen=True)
class LayerShare:
    """One layer, from the head down: its rule in words, and what its bias and the rule's stabiliser absorbed, in
    logits."""

    layer: str
    rule: str
    bias: float
    stabiliser: float


@dataclass(frozen=True)
class ModuleShare:
    """One module, `block`. `reached`: the relevance of each branch's output, as it came from above; `kept`:
    what of it was passed on (all, unless this module is the condition); `left`: what arrived at the module's input
    through each branch. `channels` (C,): `reached` by channel of the concatenation. All in logits."""

    block: BlockSpec = field(repr=False)
    reached: tuple[float, ...]
    kept: tuple[float, ...]
    left: tuple[float, ...]
    channels: Tensor = field(repr=False, compare=False)

    @property
    def module(self) -> str:
        """The module's name."""
        return self.block.name

    @property
    def total(self) -> float:
        """The relevance of the module's output: the sum of its branches'."""
        return sum(self.reached)

    def strongest(self, count: int = STRONGEST) -> list[tuple[str, float]]:
        """The channels with the largest relevance, as (`4d:5x5:17`, logits), largest first."""
        found: list[tuple[str, float]] = []
        values, places = self.channels.abs().topk(min(count, len(self.channels)))
        for place in places[values > 0].tolist():
            for kind in BRANCHES:
                lane = self.block.channels(kind)
                if lane.start <= place < lane.stop:
                    found.append((f"{self.module}:{kind}:{place - lane.start}", float(self.channels[place])))
        return found


@dataclass(frozen=True)
class Conservation:
    """score = pixels + biases + stabilisers + set aside, in logits, each counted where it happens.

    `score`: what was shared out. `pixels`: what arrived at the image. `layers`: what was absorbed on the way, `modules`
    what passed through each; both from the head down. `through`: the part that the relevance had to pass, if any, and
    `set_aside` what did not. `identity`: layers that pass relevance on unchanged though they are not linear.
    """

    composite: str
    score: float
    pixels: float
    layers: tuple[LayerShare, ...]
    modules: tuple[ModuleShare, ...]
    through: str | None = None
    set_aside: float = 0.0
    identity: tuple[str, ...] = ()

    @property
    def biases(self) -> float:
        """What all biases absorbed."""
        return sum(row.bias for row in self.layers)

    @property
    def stabilisers(self) -> float:
        """What all stabilisers absorbed."""
        return sum(row.stabiliser for row in self.layers)

    @property
    def residual(self) -> float:
        """What the sum misses: rounding, if everything is right."""
        return self.score - (self.pixels + self.biases + self.stabilisers + self.set_aside)

    @property
    def error(self) -> float:
        """`residual` as a share of the score."""
        return abs(self.residual) / max(abs(self.score), 1e-12)

    @property
    def closes(self) -> bool:
        """Whether the sum closes up to rounding."""
        return self.error <= ALLOWED

    @property
    def sentence(self) -> str:
        """The whole sum in words."""
        parts = [
            f"pixels {in_logits(self.pixels)}",
            f"biases {in_logits(self.biases)}",
            f"stabilisers {in_logits(self.stabilisers)}",
        ]
        if self.through is not None:
            parts.append(f"not through {self.through} {in_logits(self.set_aside)}")
        verdict = "closes" if self.closes else "does not close"
        said = f"{', '.join(parts)} make the score of {in_logits(self.score)} logits, "
        said += f"so the sum {verdict}: {self.error:.1e} off."
        if self.identity:
            said += f" {' and '.join(self.identity)} (local response normalisation) pass relevance on as if not there."
        return said

    def as_dict(self) -> dict[str, Any]:
        """Everything but the single channels, of which each module's strongest are named; ready for JSON."""
        return {
            "composite": self.composite,
            "through": self.through,
            "score": self.score,
            "pixels": self.pixels,
            "biases": self.biases,
            "stabilisers": self.stabilisers,
            "set_aside": self.set_aside,
            "residual": self.residual,
            "error": self.error,
            "closes": self.closes,
            "words": self.sentence,
            "identity": list(self.identity),
            "layers": [
                {"layer": row.layer, "rule": row.rule, "bias": row.bias, "stabiliser": row.stabiliser}
                for row in self.layers
            ],
            "modules": [
                {
                    "module": row.module,
                    "reached": dict(zip(BRANCHES, row.reached, strict=True)),
                    "kept": dict(zip(BRANCHES, row.kept, strict=True)),
                    "left": dict(zip(BRANCHES, row.left, strict=True)),
                    "strongest": dict(row.strongest()),
                }
                for row in self.modules
            ],
        }
