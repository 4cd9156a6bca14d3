"""Addresses in the network: modules, branches and channels by name, and which modules a head can see."""

from __future__ import annotations

from dataclasses import dataclass

from .spec import BRANCHES, BranchKind, HeadName, NetworkSpec


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
