"""One GoogLeNet for every checkpoint: it reads a `NetworkSpec` and builds the graph of the paper's Figure 3.

Every convolution is followed by its own `nn.ReLU(inplace=False)`, so that forward hooks see true values and captum's
ReLU rules apply. Batch norm exists for training only; `weights.fold_batch_norm` turns it into the convolution's bias.
What makes one image faster on a CPU is put on top of a finished network: see `cpu_kernels`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .spec import BRANCH_UNIT, BRANCHES, HEADS, AuxSpec, BlockSpec, HeadName, LRNSpec, NetworkSpec, PoolSpec


class Heads(NamedTuple):
    """Logits (N, K) of the three classifiers; None where the network has no such head."""

    aux1: Tensor | None
    aux2: Tensor | None
    main: Tensor

    @property
    def present(self) -> tuple[HeadName, ...]:
        """Names of the heads that the network has, in depth order."""
        return tuple(name for name in HEADS if getattr(self, name) is not None)

    def of(self, head: str) -> Tensor:
        """Logits (N, K) of one head; raises KeyError that lists the heads there are."""
        if head not in self.present:
            raise KeyError(f"no head {head!r} in this network; it has: {', '.join(self.present)}")
        return getattr(self, head)  # type: ignore[no-any-return]

    def map(self, function: Callable[[Tensor], Tensor]) -> Heads:
        """The function applied to the logits of every head there is."""
        aux1, aux2 = (None if logits is None else function(logits) for logits in (self.aux1, self.aux2))
        return Heads(aux1, aux2, function(self.main))


class ConvUnit(nn.Module):
    """Convolution, batch norm while training, ReLU: (N, Cin, H, W) -> (N, Cout, H', W')."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: tuple[int, int] | None = None,
        batch_norm: float | None = None,
    ) -> None:
        super().__init__()
        before, after = padding or (kernel // 2, kernel // 2)
        # Asymmetric padding (TensorFlow's SAME) is a layer of its own; the symmetric kind stays in the convolution.
        self.pad = nn.ZeroPad2d((before, after, before, after)) if before != after else None
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=0 if self.pad else before,
            bias=batch_norm is None,
        )
        self.bn = None if batch_norm is None else nn.BatchNorm2d(out_channels, eps=batch_norm)
        self.relu = nn.ReLU(inplace=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.pad is not None:
            x = self.pad(x)
        x = self.conv(x)
        if self.bn is not None:
            x = self.bn(x)
        return self.relu(x)  # type: ignore[no-any-return]


def _max_pool(spec: PoolSpec) -> nn.MaxPool2d:
    return nn.MaxPool2d(spec.kernel, spec.stride, ceil_mode=True)


class ResponseNorm(nn.LocalResponseNorm):
    """Local response normalisation, in float32 at least: torch's has no half precision on the CPU, and the squares of
    activations exceed float16. Input and output are of one type."""

    def forward(self, input: Tensor) -> Tensor:
        exact = input.to(torch.promote_types(input.dtype, torch.float32))
        return super().forward(exact).to(input.dtype)


def _lrn(spec: LRNSpec | None) -> nn.Module:
    return nn.Identity() if spec is None else ResponseNorm(spec.size, spec.alpha, spec.beta, spec.k)


class InceptionBlock(nn.Module):
    """One Inception module with dimension reductions (Figure 2(b)): (N, Cin, H, W) -> (N, Cout, H, W)."""

    def __init__(self, spec: BlockSpec, batch_norm: float | None) -> None:
        super().__init__()
        self.spec = spec
        cin, k5 = spec.in_channels, spec.five_kernel
        self.add_module("1x1", ConvUnit(cin, spec.one, 1, batch_norm=batch_norm))
        self.add_module("3x3_reduce", ConvUnit(cin, spec.three_reduce, 1, batch_norm=batch_norm))
        self.add_module("3x3", ConvUnit(spec.three_reduce, spec.three, 3, batch_norm=batch_norm))
        self.add_module("5x5_reduce", ConvUnit(cin, spec.five_reduce, 1, batch_norm=batch_norm))
        self.add_module("5x5", ConvUnit(spec.five_reduce, spec.five, k5, batch_norm=batch_norm))
        self.pool = nn.MaxPool2d(3, 1, padding=1, ceil_mode=True)
        self.add_module("pool_proj", ConvUnit(cin, spec.pool_proj, 1, batch_norm=batch_norm))

    def unit(self, name: str) -> ConvUnit:
        """The convolution of that name (see `spec.UNITS`)."""
        unit = self._modules[name]
        assert isinstance(unit, ConvUnit)
        return unit

    def branches(self, x: Tensor) -> dict[str, Tensor]:
        """The four branches' outputs in the order of the concatenation."""
        return {
            "1x1": self.unit("1x1")(x),
            "3x3": self.unit("3x3")(self.unit("3x3_reduce")(x)),
            "5x5": self.unit("5x5")(self.unit("5x5_reduce")(x)),
            "pool": self.unit("pool_proj")(self.pool(x)),
        }

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.branches(x)
        return torch.cat([outputs[kind] for kind in BRANCHES], dim=1)


class AuxHead(nn.Module):
    """Auxiliary classifier (section 5): (N, C, 14, 14) -> (N, K)."""

    def __init__(self, spec: AuxSpec, in_channels: int, classes: int, batch_norm: float | None) -> None:
        super().__init__()
        self.spec = spec
        self.pool = nn.AvgPool2d(5, 3) if spec.pool == "avg5x3" else nn.AdaptiveAvgPool2d(4)
        self.conv = ConvUnit(in_channels, spec.conv, 1, batch_norm=batch_norm)
        self.fc = nn.Linear(spec.conv * 16, spec.fc)
        self.relu = nn.ReLU(inplace=False)
        self.dropout = nn.Dropout(spec.dropout)
        self.classifier = nn.Linear(spec.fc, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.pool(x))

    def classify(self, pooled: Tensor) -> Tensor:
        """What the average pool gives, (N, C, 4, 4) -> (N, K)."""
        x = self.conv(pooled)  # (N, 128, 4, 4)
        if x.shape[-2:] != (4, 4):
            raise ValueError(
                f"{self.spec.name} needs a 4x4 map after its average pool and got {x.shape[-2]}x{x.shape[-1]}: "
                "this network's auxiliary heads take 224x224 images only"
            )
        x = self.dropout(self.relu(self.fc(torch.flatten(x, 1))))
        return self.classifier(x)  # type: ignore[no-any-return]


class GoogLeNet(nn.Module):
    """GoogLeNet (Inception v1) as its spec says. `forward` gives main logits, `forward_heads` all three."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        bn, stem = spec.batch_norm, spec.stem
        units = {
            "conv1": ConvUnit(3, stem.conv1, 7, stride=2, padding=stem.conv1_padding, batch_norm=bn),
            "conv2_reduce": ConvUnit(stem.conv1, stem.conv2_reduce, 1, batch_norm=bn),
            "conv2": ConvUnit(stem.conv2_reduce, stem.conv2, 3, batch_norm=bn),
        }
        for name, unit in units.items():
            self.add_module(name, unit)
        self.pool1, self.lrn1 = _max_pool(PoolSpec()), _lrn(stem.lrn)
        self.lrn2, self.pool2 = _lrn(stem.lrn), _max_pool(PoolSpec())
        for block in spec.blocks:
            self.add_module(block.name, InceptionBlock(block, bn))
        for after, pool in spec.pools:
            self.add_module(f"pool_{after}", _max_pool(pool))
        for aux in spec.aux:
            self.add_module(aux.name, AuxHead(aux, spec.block(aux.after).out_channels, spec.classes, bn))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(spec.dropout)
        self.classifier = nn.Linear(spec.blocks[-1].out_channels, spec.classes)

    def block(self, name: str) -> InceptionBlock:
        """The Inception module of that name; raises KeyError that lists the allowed ones."""
        self.spec.block(name)
        block = self._modules[name]
        assert isinstance(block, InceptionBlock)
        return block

    def aux_head(self, name: str) -> AuxHead:
        """The auxiliary classifier of that name; raises KeyError that lists the heads there are."""
        head = self._modules.get(name)
        if not isinstance(head, AuxHead):
            raise KeyError(f"this network has no head {name!r}; it has: {', '.join(self.spec.heads)}")
        return head

    def conv_units(self) -> Iterator[tuple[str, ConvUnit]]:
        """Every convolution with its name, in the order of the image's way."""
        return ((name, module) for name, module in self.named_modules() if isinstance(module, ConvUnit))

    def stem(self, x: Tensor) -> Tensor:
        """(N, 3, 224, 224) -> (N, 192, 28, 28): the input of 3a."""
        modules = self._modules
        x = self.lrn1(self.pool1(modules["conv1"](x)))  # type: ignore[misc]
        x = modules["conv2"](modules["conv2_reduce"](x))  # type: ignore[misc]
        return self.pool2(self.lrn2(x))  # type: ignore[no-any-return]

    def trunk(
        self,
        x: Tensor,
        *,
        start: str | None = None,
        resume: str | None = None,
        visit: Callable[[str, Tensor], Tensor] | None = None,
    ) -> Iterator[tuple[str, Tensor]]:
        """Runs the modules in order and yields (name, output) of each.

        `x` is the image batch; with `start`, the input of that module; with `resume`, the output of that module,
        which is not run again but is the first to be yielded. `visit(name, output)` may replace a module's output
        before the next one sees it (ablation).
        """
        known = start or resume
        x = self.stem(x) if known is None else x
        names = self.spec.module_names
        first = 0 if known is None else names.index(self.spec.block(known).name)
        for name in names[first:]:
            x = x if name == resume else self.block(name)(x)
            if visit is not None:
                x = visit(name, x)
            yield name, x
            if self.spec.pool_after(name) is not None:
                x = self._modules[f"pool_{name}"](x)  # type: ignore[misc]

    def classify(self, x: Tensor) -> Tensor:
        """5b's output (N, 1024, 7, 7) -> main logits (N, K): average pool, dropout, linear."""
        return self.classifier(self.dropout(torch.flatten(self.avgpool(x), 1)))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> main logits (N, K), whatever the mode: captum calls the module itself."""
        for _, output in self.trunk(x):
            last = output
        return self.classify(last)

    def forward_heads(self, x: Tensor) -> Heads:
        """Images (N, 3, H, W) -> logits (N, K) of all heads, in training and in eval mode."""
        return self.heads_from(self.trunk(x))

    def heads_from(self, outputs: Iterator[tuple[str, Tensor]]) -> Heads:
        """Logits of the heads that hang on the given modules' outputs, which must end with the last module."""
        taps = {aux.after: aux.name for aux in self.spec.aux}
        found: dict[str, Tensor] = {}
        for name, output in outputs:
            if name in taps:
                found[taps[name]] = self.aux_head(taps[name])(output)
            last = output
        return Heads(found.get("aux1"), found.get("aux2"), self.classify(last))

    def head_logits(
        self,
        x: Tensor,
        head: str,
        *,
        resume: str | None = None,
        visit: Callable[[str, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Logits (N, K) of one head; nothing behind its module is computed. `resume` and `visit` as in `trunk`."""
        after = self.spec.module_names[-1] if head == "main" else self.aux_head(head).spec.after
        for name, output in self.trunk(x, resume=resume, visit=visit):
            if name == after:
                return self.classify(output) if head == "main" else self.aux_head(head)(output)
        raise AssertionError(f"{head} hangs on a module that this network does not have")


def branch_unit(block: InceptionBlock, branch: str) -> ConvUnit:
    """The convolution whose output is the branch's output."""
    return block.unit(BRANCH_UNIT[branch])  # type: ignore[index]
