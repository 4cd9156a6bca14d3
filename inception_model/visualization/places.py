"""Where in the network an objective reads: a convolution of the stem, one of a module, or a head's logits."""

from __future__ import annotations

from dataclasses import dataclass

from ..architecture.address import head_modules
from ..architecture.spec import BRANCH_UNIT, BRANCHES, HEADS, STEM_UNITS, UNITS, HeadName, NetworkSpec
from ..cost.layers import unit_widths


class UnitError(ValueError):
    """There is no such unit; the message says which ones there are."""


@dataclass(frozen=True)
class Place:
    """A convolution (`Place("5x5", "4d")`, `Place("conv2")`) or a head's logits (`Place("aux1")`)."""

    unit: str
    module: str | None = None

    @property
    def is_head(self) -> bool:
        """Whether it has logits instead of maps."""
        return self.module is None and self.unit in HEADS

    @property
    def node(self) -> str:
        """The convolution's name in the network: `4d.5x5`, `conv2`."""
        return self.unit if self.module is None else f"{self.module}.{self.unit}"

    def width(self, spec: NetworkSpec) -> int:
        """Channels of the convolution, or classes of the head."""
        if self.is_head:
            return spec.classes
        if self.module is None:
            return int(getattr(spec.stem, self.unit))
        return unit_widths(spec.block(self.module))[self.unit]

    def last_module(self, spec: NetworkSpec) -> str | None:
        """The deepest module that runs for it; None in the stem."""
        return head_modules(spec)[_head(self.unit)] if self.is_head else self.module

    @classmethod
    def parse(cls, text: str, spec: NetworkSpec) -> Place:
        """`4d:5x5`, `4d:3x3_reduce` or `conv2`; raises UnitError that says what exists."""
        first, *rest = text.strip().split(":")
        if first in STEM_UNITS and not rest:
            return cls(first)
        if first not in spec.module_names:
            raise UnitError(
                f"unknown place {text!r}; there are the modules {', '.join(spec.module_names)} (as in 4d:5x5), and "
                f"{', '.join(STEM_UNITS)} before them"
            )
        names = {kind: BRANCH_UNIT[kind] for kind in BRANCHES} | {unit: unit for unit in UNITS}
        if len(rest) != 1 or rest[0] not in names:
            raise UnitError(f"unknown place {text!r}; {first} has {', '.join(f'{first}:{name}' for name in names)}")
        return cls(names[rest[0]], first)

    @classmethod
    def of_head(cls, head: str, spec: NetworkSpec) -> Place:
        """The logits of a head; raises UnitError that lists those there are."""
        if head not in spec.heads:
            raise UnitError(f"this network has no head {head!r}; it has: {', '.join(spec.heads)}")
        return cls(head)

    def __str__(self) -> str:
        return ":".join(part for part in (self.module, self.unit) if part is not None)


def all_places(spec: NetworkSpec) -> tuple[Place, ...]:
    """Every convolution with channels of its own, in the order of the image's way: stem, then six per module."""
    return (*map(Place, STEM_UNITS), *(Place(unit, module) for module in spec.module_names for unit in UNITS))


def _head(name: str) -> HeadName:
    return HEADS[HEADS.index(name)]
