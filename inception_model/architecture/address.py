"""Addresses in the network: modules, branches and channels by name, and which modules a head can see."""

from __future__ import annotations

from dataclasses import dataclass

from .spec import BRANCH_UNIT, BRANCHES, STEM_UNITS, UNITS, BranchKind, HeadName, NetworkSpec


@dataclass(frozen=True)
class Part:
    """What is switched off: a module (`4d`), one of its branches (`4d:5x5`) or one channel of that (`4d:5x5:17`)."""

    module: str
    branch: BranchKind | None = None
    channel: int | None = None

    @classmethod
    def parse(cls, text: str, spec: NetworkSpec) -> Part:
        """`MODULE[:BRANCH[:CHANNEL]]`; raises ValueError that says what was found and what is allowed."""
        module, *rest = text.strip().split(":")
        if module not in spec.module_names:
            raise ValueError(f"unknown module {module!r} in {text!r}; allowed: {', '.join(spec.module_names)}")
        if not rest:
            return cls(module)
        if rest[0] not in BRANCHES:
            raise ValueError(f"unknown branch {rest[0]!r} in {text!r}; allowed: {', '.join(BRANCHES)}")
        branch = BRANCHES[BRANCHES.index(rest[0])]
        if len(rest) == 1:
            return cls(module, branch)
        width = spec.block(module).width(branch)
        if len(rest) > 2 or not rest[1].isdecimal() or int(rest[1]) >= width:
            found = ":".join(rest[1:])
            raise ValueError(f"unknown channel {found!r} in {text!r}; {module}:{branch} has channels 0 to {width - 1}")
        return cls(module, branch, int(rest[1]))

    def channels(self, spec: NetworkSpec) -> slice:
        """Where the part lies in its module's concatenated output."""
        block = spec.block(self.module)
        if self.branch is None:
            return slice(0, block.out_channels)
        lane = block.channels(self.branch)
        return lane if self.channel is None else slice(lane.start + self.channel, lane.start + self.channel + 1)

    def __str__(self) -> str:
        return ":".join(str(value) for value in (self.module, self.branch, self.channel) if value is not None)


@dataclass(frozen=True)
class UnitAddress:
    """One channel of one convolution: `UnitAddress("4d", "5x5", 17)`, of the stem `UnitAddress(None, "conv2", 9)`."""

    module: str | None
    conv: str
    channel: int

    @property
    def node(self) -> str:
        """The convolution's name in the network: `4d.5x5`, `conv2`."""
        return self.conv if self.module is None else f"{self.module}.{self.conv}"

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.module, self.conv, self.channel) if part is not None)


def conv_width(spec: NetworkSpec, module: str | None, conv: str) -> int:
    """Channels of a convolution of a module (`spec.UNITS`) or of the stem (`module` None)."""
    if module is None:
        return int(getattr(spec.stem, conv))
    block = spec.block(module)
    widths = {BRANCH_UNIT[kind]: block.width(kind) for kind in BRANCHES}
    return {**widths, "3x3_reduce": block.three_reduce, "5x5_reduce": block.five_reduce}[conv]


def parse_unit(text: str, spec: NetworkSpec) -> UnitAddress:
    """`4d:5x5:17`, `4d:3x3_reduce:4`, `4d:pool:3` or `conv2:9`; raises ValueError that says what exists."""
    first, *rest = text.strip().split(":")
    if first in STEM_UNITS:
        module, conv, rest = None, first, rest
    elif first not in spec.module_names:
        raise ValueError(
            f"unknown unit {text!r}: there are the modules {', '.join(spec.module_names)} (as in 4d:5x5:17), and "
            f"{', '.join(STEM_UNITS)} before them (as in conv2:9)"
        )
    else:
        names = {unit: unit for unit in UNITS} | {str(kind): unit for kind, unit in BRANCH_UNIT.items()}
        if not rest or rest[0] not in names:
            raise ValueError(f"unknown unit {text!r}: {first} has {', '.join(f'{first}:{name}' for name in names)}")
        module, conv, rest = first, names[rest[0]], rest[1:]
    width = conv_width(spec, module, conv)
    if len(rest) != 1 or not (rest[0].isascii() and rest[0].isdecimal()) or int(rest[0]) >= width:
        whole = conv if module is None else f"{module}:{conv}"
        raise ValueError(f"unknown unit {text!r}: {whole} has channels 0 to {width - 1} (as in {whole}:{width - 1})")
    return UnitAddress(module, conv, int(rest[0]))


def output_origin(spec: NetworkSpec, module: str, channel: int) -> Part:
    """The branch, and the channel there, that a channel of a module's concatenated output comes from."""
    block = spec.block(module)
    kind = next(kind for kind in BRANCHES if channel < block.channels(kind).stop)
    return Part(module, kind, channel - block.channels(kind).start)


def head_modules(spec: NetworkSpec) -> dict[HeadName, str]:
    """The module on which each head of the network hangs, in the order of depth (Figure 3)."""
    return {**{aux.name: aux.after for aux in spec.aux}, "main": spec.module_names[-1]}


def modules_seen(spec: NetworkSpec, head: HeadName) -> tuple[str, ...]:
    """The modules that a head depends on: all nine for main, 3a to 4a for aux1, 3a to 4d for aux2 (Figure 3)."""
    after = head_modules(spec)
    if head not in after:
        raise KeyError(f"no head {head!r} in this network; it has: {', '.join(spec.heads)}")
    return spec.module_names[: spec.module_names.index(after[head]) + 1]


def reaches(spec: NetworkSpec, module: str, head: HeadName) -> bool:
    """Whether a head's answer depends on that module: aux1 stops at 4a, aux2 at 4d."""
    return module in modules_seen(spec, head)
