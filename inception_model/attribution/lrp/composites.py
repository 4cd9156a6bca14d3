"""Composites: which rule each layer gets, as data. The first line that fits a layer decides."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from .layers import LinearLayer
from .rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, ZBox

Line = tuple[str, Rule]
"""Which layers, and their rule: a role (`first` for the layer that sees the pixels, `convolution`, `linear`), a layer's
name, or a pattern of names such as `4?.*`."""


LRP_0 = Epsilon()
"""No more than what keeps divisions from failing."""


@dataclass(frozen=True)
class Composite:
    """A rule per layer. `source`: who published it; `words`: what it is for, in one sentence; `average`: the rule of
    average pools, in proportion to the values that were averaged; `effort`: how much longer a map takes than a
    gradient, measured on two CPU cores."""

    name: str
    lines: tuple[Line, ...]
    source: str
    words: str
    average: Epsilon = LRP_0
    effort: float = 1.0

    def rule(self, layer: LinearLayer, *, first: bool = False) -> Rule:
        """The rule of a layer; raises KeyError where no line fits."""
        if layer.role == "average":
            return self.average
        for where, rule in self.lines:
            if where == layer.role or (where == "first" and first) or fnmatchcase(layer.name, where):
                return rule
        raise KeyError(f"the composite {self.name} has no rule for {layer.name} ({layer.role})")


_ROWS = (
    Composite(
        "epsilon",
        (("convolution", Epsilon(0.25, relative=True)), ("linear", LRP_0)),
        "Bach et al. 2015",
        "In proportion to what was added, with small outputs damped: close to input × gradient, less noisy.",
        effort=1.4,
    ),
    Composite(
        "epsilon-plus-flat",
        (("first", Flat()), ("convolution", AlphaBeta(1, 0)), ("linear", LRP_0)),
        "Kohlbrenner et al. 2020; Achtibat et al. 2023",
        "Only what speaks for a channel passes through convolutions: smooth maps, less sharp between classes.",
        effort=1.5,
    ),
    Composite(
        "epsilon-gamma-box",
        (("first", ZBox()), ("convolution", Gamma(0.25)), ("linear", LRP_0)),
        "Montavon et al. 2019",
        "What speaks for a channel counts a quarter more: between epsilon and epsilon-plus-flat.",
        effort=2.3,
    ),
    Composite(
        "gamma",
        (
            ("first", ZBox()),
            *((name, Gamma(0.25)) for name in ("conv*", "3?.*", "4a.*")),
            ("4?.*", Epsilon(0.25, relative=True)),
            ("5?.*", LRP_0),
            *((role, LRP_0) for role in ("convolution", "linear")),
        ),
        "Montavon et al. 2019, section 10.3",
        "Gamma below 4b, epsilon up to 4e, LRP-0 above: fine where positions matter, true to the class at the top.",
        effort=1.9,
    ),
    Composite(
        "alpha2-beta1",
        (("convolution", AlphaBeta(2, 1)), ("linear", LRP_0)),
        "Bach et al. 2015",
        "For and against are passed on apart, twice and once: sharp edges of either sign.",
        effort=2.8,
    ),
    Composite(
        "alpha2-beta1-flat",
        (("first", Flat()), ("convolution", AlphaBeta(2, 1)), ("linear", LRP_0)),
        "Kohlbrenner et al. 2020",
        "As alpha2-beta1, with the first layer's share spread evenly over the pixels that it sees.",
        effort=2.4,
    ),
)

COMPOSITES: dict[str, Composite] = {composite.name: composite for composite in _ROWS}
"""Every composite by name."""


def find_composite(name: str) -> Composite:
    """The composite of that name; raises KeyError that lists the allowed ones."""
    if name not in COMPOSITES:
        raise KeyError(f"unknown composite {name!r}; allowed: {', '.join(COMPOSITES)}")
    return COMPOSITES[name]
