"""One forward pass -> Trace: the three heads' logits and every branch of every Inception module."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..architecture.network import GoogLeNet, Heads, InceptionBlock
from ..architecture.probabilities import RAW, Temperatures, probabilities
from ..architecture.spec import BRANCH_UNIT, BRANCHES, UNITS, BranchKind, HeadName
from ..drawing.notebook import render
from .classifier import Classifier

NODES: tuple[str, ...] = ("input", *UNITS, "output")
"""What a module's trace holds, by the names used in files: `4d/input`, `4d/1x1`, ..., `4d/output`."""

BEST = 5
"""Classes of a head that a notebook shows."""


@dataclass(frozen=True)
class Branch:
    """One branch of a module on N images: `reduced` (N, R, H, W) after the 1x1 reduction (None where there is none),
    `output` (N, C, H, W), `channels`: where it lies in the module's output."""

    kind: BranchKind
    reduced: Tensor | None
    output: Tensor
    channels: slice


@dataclass(frozen=True)
class BlockTrace:
    """One module on N images: its input (N, Cin, H, W), the four branches, the concatenated output (N, Cout, H, W)."""

    name: str
    input: Tensor
    branches: dict[BranchKind, Branch]
    output: Tensor

    def node(self, name: str) -> Tensor:
        """A tensor by its name in NODES; raises KeyError that lists them."""
        if name in ("input", "output"):
            return self.input if name == "input" else self.output
        for kind, branch in self.branches.items():
            if name == BRANCH_UNIT[kind]:
                return branch.output
            if name == f"{kind}_reduce" and branch.reduced is not None:
                return branch.reduced
        raise KeyError(f"unknown node {name!r} in a module; allowed: {', '.join(NODES)}")

    def nodes(self) -> Iterator[tuple[str, Tensor]]:
        """All eight tensors with their names."""
        return ((name, self.node(name)) for name in NODES)


@dataclass(frozen=True)
class Trace:
    """What one forward pass of N images showed: logits of the heads, and every module. Float32 on the CPU.

    `untrained`: heads that exist and were never trained, so that their logits are no predictions.
    `temperatures`: what the heads' logits are divided by where they become probabilities.
    """

    heads: Heads
    blocks: dict[str, BlockTrace]
    untrained: tuple[HeadName, ...] = ()
    temperatures: Temperatures = field(default_factory=lambda: RAW)

    def raw(self) -> Trace:
        """The same with plain softmax for probabilities."""
        return replace(self, temperatures=RAW)

    def block(self, name: str) -> BlockTrace:
        """A module by name; raises KeyError that lists them."""
        if name not in self.blocks:
            raise KeyError(f"unknown module {name!r}; allowed: {', '.join(self.blocks)}")
        return self.blocks[name]

    def split(self) -> list[Trace]:
        """A trace of each of the N images, with memory of its own: keeping one does not keep the others'."""
        count = len(self.heads.main)
        return [self] if count == 1 else [self._of_image(i) for i in range(count)]

    def _of_image(self, i: int) -> Trace:
        copies: dict[int, Tensor] = {}  # the output of a module is the next one's input: copied once

        def own(tensor: Tensor) -> Tensor:
            if id(tensor) not in copies:
                copies[id(tensor)] = tensor[i : i + 1].clone()
            return copies[id(tensor)]

        def branch(found: Branch) -> Branch:
            return replace(
                found, reduced=None if found.reduced is None else own(found.reduced), output=own(found.output)
            )

        with torch.inference_mode():
            blocks = {
                name: replace(
                    block,
                    input=own(block.input),
                    branches={kind: branch(found) for kind, found in block.branches.items()},
                    output=own(block.output),
                )
                for name, block in self.blocks.items()
            }
            return replace(self, heads=self.heads.map(own), blocks=blocks)

    def logits(self, head: HeadName | str) -> Tensor:
        """(N, K) of a head; raises KeyError where the network has no such head."""
        return self.heads.of(head)

    def probabilities(self, head: HeadName | str) -> Tensor:
        """(N, K) softmax of a head's logits at its temperature."""
        return probabilities(self.logits(head), head, self.temperatures)

    def best(self, head: HeadName | str, count: int = BEST) -> list[tuple[int, float]]:
        """(class index, probability) of the first image's most probable classes at a head, most probable first."""
        # By logits, whose order stays where probabilities round to zero.
        indices = self.logits(head)[0].argsort(descending=True)[:count]
        return list(zip(indices.tolist(), self.probabilities(head)[0, indices].tolist(), strict=True))

    def _repr_html_(self) -> str:
        """For notebooks: each head's best classes of the first image, and each module's branches with their means."""
        means = {
            name: {kind: float(branch.output.mean()) for kind, branch in block.branches.items()}
            for name, block in self.blocks.items()
        }
        present = self.heads.present if len(self.heads.main) else ()
        return render(
            "trace",
            images=len(self.heads.main),
            heads={head: [] if head in self.untrained else self.best(head) for head in present},
            blocks=self.blocks,
            means=means,
            largest=max((mean for row in means.values() for mean in row.values()), default=0.0),
        )


@contextlib.contextmanager
def forward_hooks(modules: dict[str, nn.Module], hook: Callable[[str, Tensor, Tensor], None]) -> Iterator[None]:
    """Calls `hook(name, first input, output)` after each module's forward, on this thread's calls only.

    Every handle is released on the way out, also after an exception while acquiring them.
    """
    owner = threading.get_ident()
    handles: list[RemovableHandle] = []

    def bind(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def call(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if threading.get_ident() == owner:
                hook(name, inputs[0], output)

        return call

    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(bind(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def watched_modules(network: GoogLeNet) -> dict[str, nn.Module]:
    """The modules whose inputs and outputs make a Trace: each Inception module and its six convolutions."""
    modules: dict[str, nn.Module] = {}
    for name in network.spec.module_names:
        block = network.block(name)
        modules[name] = block
        for unit in UNITS:
            modules[f"{name}/{unit}"] = block.unit(unit)
    return modules


def capture(classifier: Classifier, x: Tensor) -> Trace:
    """Runs images (N, 3, S, S), normalised, through the network once and keeps every branch.

    Safe when many threads use one Classifier. Nothing stays hooked, also after an exception.
    """
    network = classifier.network
    seen: dict[str, Tensor] = {}

    def keep(name: str, first_input: Tensor, output: Tensor) -> None:
        if "/" not in name:
            seen[f"{name}/input"] = first_input
            seen[f"{name}/output"] = output
        else:
            seen[name] = output

    with torch.inference_mode(), forward_hooks(watched_modules(network), keep):
        heads = network.forward_heads(classifier.to_input(x))
        plain = {name: tensor.float().cpu() for name, tensor in seen.items()}
        logits = heads.map(lambda value: value.float().cpu())
    return Trace(
        logits,
        {name: _block_trace(network.block(name), plain) for name in network.spec.module_names},
        tuple(head for head in logits.present if head not in classifier.trained_heads),
        classifier.temperatures,
    )


def _block_trace(block: InceptionBlock, tensors: dict[str, Tensor]) -> BlockTrace:
    name = block.spec.name
    branches = {
        kind: Branch(
            kind,
            tensors.get(f"{name}/{kind}_reduce"),
            tensors[f"{name}/{BRANCH_UNIT[kind]}"],
            block.spec.channels(kind),
        )
        for kind in BRANCHES
    }
    return BlockTrace(name, tensors[f"{name}/input"], branches, tensors[f"{name}/output"])
