"""One forward pass of the network, remembered, and relevance passed back along it: once per composite and condition.

What is not linear has one way back: a ReLU and dropout pass relevance on, a max pool gives it to the position that won,
a concatenation splits it by branch, and a module's input gets the sum of what its four branches leave. Local response
normalisation passes it on too, as if it were not there.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...architecture.address import Part
from ...architecture.network import ConvUnit, GoogLeNet, InceptionBlock
from ...architecture.spec import BRANCHES, BlockSpec, HeadName
from ...inference.targets import Target
from .composites import Composite
from .conservation import Conservation, LayerShare, ModuleShare
from .layers import Average, Convolution, FullyConnected, LinearLayer, ScoreLayer, float64, totals
from .rules import Rule


@dataclass(frozen=True)
class Relevance:
    """Of N images: `values` (N, 3, S, S) at the pixels, and the sums of each image's pass."""

    values: Tensor = field(repr=False)
    conservation: tuple[Conservation, ...]


class Tape:
    """A forward pass of images (N, 3, S, S), normalised, up to one head's score.

    The network is only read. `box`: the lowest and highest value that a pixel can have (1, 3, 1, 1), for z-box.
    """

    def __init__(
        self, network: GoogLeNet, x: Tensor, head: HeadName, target: Target, box: tuple[Tensor, Tensor] | None = None
    ) -> None:
        self.spec, self.head = network.spec, head
        self._network, self._dtype, self._steps = network, x.dtype, list[_Step]()
        with torch.no_grad():
            z = self._stem(x.contiguous(memory_format=torch.channels_last), box)
            for name in self.spec.module_names:
                z = self._module(network.block(name), z)
                if name == self._last:
                    break
                if self.spec.pool_after(name) is not None:
                    z = self._max_pool(network.get_submodule(f"pool_{name}"), z)
            self.score = self._head(z, target)

    @property
    def _last(self) -> str:
        """The module on which the head hangs."""
        return self.spec.module_names[-1] if self.head == "main" else self._network.aux_head(self.head).spec.after

    def relevance(
        self, composite: Composite, through: Sequence[Part] = (), check: Callable[[], object] = lambda: None
    ) -> Relevance:
        """The score shared out over the pixels. With `through`, what doesn't pass these parts of their modules is set
        aside there (Achtibat et al. 2023): parts of one module together, of several modules one after the other.
        `check` is called before every layer, and may raise."""
        masks: dict[str, Tensor] = {}
        for part in through:
            width = self.spec.block(part.module).out_channels
            masks.setdefault(part.module, torch.zeros(width, dtype=torch.bool))[part.channels(self.spec)] = True
        run = _Pass(composite, masks, len(self.score), check)
        with torch.no_grad():
            r = self.score
            for step in reversed(self._steps):
                run.check()
                r = step.back(r, run)
        named = " and ".join(str(part) for part in through) or None
        lrn = () if self.spec.stem.lrn is None else ("lrn1", "lrn2")
        score, pixels = totals(self.score).tolist(), totals(r).tolist()
        return Relevance(
            r.contiguous(),
            tuple(
                Conservation(composite.name, score[n], pixels[n], run.layers_of(n), run.modules_of(n), named,
                             float(run.set_aside[n]), lrn)
                for n in range(len(score))
            ),
        )  # fmt: skip

    def _stem(self, x: Tensor, box: tuple[Tensor, Tensor] | None) -> Tensor:
        network = self._network
        x = self._unit("conv1", x, self._steps, box)
        x = network.lrn1(self._max_pool(network.pool1, x))
        x = self._unit("conv2", self._unit("conv2_reduce", x, self._steps), self._steps)
        return self._max_pool(network.pool2, network.lrn2(x))

    def _module(self, block: InceptionBlock, x: Tensor) -> Tensor:
        name = block.spec.name
        chains: list[list[_Step]] = [[] for _ in BRANCHES]
        outputs = [
            self._unit(f"{name}.1x1", x, chains[0]),
            self._unit(f"{name}.3x3", self._unit(f"{name}.3x3_reduce", x, chains[1]), chains[1]),
            self._unit(f"{name}.5x5", self._unit(f"{name}.5x5_reduce", x, chains[2]), chains[2]),
            self._unit(f"{name}.pool_proj", self._max_pool(block.pool, x, chains[3]), chains[3]),
        ]
        self._steps.append(_Branches(block.spec, chains))
        return torch.cat(outputs, dim=1)

    def _head(self, x: Tensor, target: Target) -> Tensor:
        network, steps, prefix = self._network, self._steps, ""
        if self.head == "main":
            x, classifier = self._linear(Average("avgpool", network.avgpool), x, steps), network.classifier
        else:
            aux, prefix = network.aux_head(self.head), f"{self.head}."
            x = self._linear(Average(f"{prefix}pool", aux.pool), x, steps)
            x, classifier = self._unit(f"{prefix}conv", x, steps), aux.classifier
        steps.append(_Flatten(x.shape))
        x = torch.flatten(x, 1)
        if self.head != "main":
            x = F.relu(self._linear(FullyConnected(f"{prefix}fc", aux.fc, self._dtype), x, steps))
        layer = ScoreLayer(f"{prefix}classifier", classifier, target.score, len(x), self._dtype)
        return self._linear(layer, x, steps)

    def _unit(self, name: str, x: Tensor, steps: list[_Step], box: tuple[Tensor, Tensor] | None = None) -> Tensor:
        unit = self._network.get_submodule(name)
        assert isinstance(unit, ConvUnit)
        layer = Convolution(name, unit, self._dtype)
        layer.box = box
        return F.relu(self._linear(layer, x, steps))

    @staticmethod
    def _linear(layer: LinearLayer, x: Tensor, steps: list[_Step]) -> Tensor:
        z = layer(x)
        steps.append(_Linear(layer, x, z))
        return z

    def _max_pool(self, pool: nn.Module, x: Tensor, steps: list[_Step] | None = None) -> Tensor:
        assert isinstance(pool, nn.MaxPool2d)
        z, winners = F.max_pool2d(
            x, pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode, return_indices=True
        )
        (self._steps if steps is None else steps).append(_MaxPool(winners, x.shape))
        return z


class _Pass:
    """What one way back gathers, per image."""

    def __init__(
        self, composite: Composite, masks: dict[str, Tensor], images: int, check: Callable[[], object]
    ) -> None:
        self.composite, self.masks, self.check = composite, masks, check
        self.layers: list[tuple[str, Rule, Tensor, Tensor]] = []
        self.modules: list[tuple[BlockSpec, Tensor, Tensor, Tensor]] = []
        self.set_aside = torch.zeros(images, dtype=torch.float64)

    def layers_of(self, n: int) -> tuple[LayerShare, ...]:
        return tuple(LayerShare(name, rule.words, float(b[n]), float(s[n])) for name, rule, b, s in self.layers)

    def modules_of(self, n: int) -> tuple[ModuleShare, ...]:
        return tuple(
            ModuleShare(spec, _lanes(spec, reached[n]), _lanes(spec, kept[n]), tuple(left[n].tolist()), reached[n])
            for spec, reached, kept, left in self.modules
        )


def _lanes(block: BlockSpec, channels: Tensor) -> tuple[float, ...]:
    """(C,) values of a module's channels -> their sums by branch."""
    return tuple(float(channels[block.channels(kind)].sum()) for kind in BRANCHES)


class _Step(abc.ABC):
    """A part of the forward pass that relevance is passed back through."""

    @abc.abstractmethod
    def back(self, r: Tensor, run: _Pass) -> Tensor:
        """Relevance of the output -> of the input."""


@dataclass
class _Linear(_Step):
    layer: LinearLayer
    x: Tensor
    z: Tensor

    def back(self, r: Tensor, run: _Pass) -> Tensor:
        rule = run.composite.rule(self.layer, first=self.layer.name == "conv1")
        inputs, bias, stabiliser = rule.share(self.layer, self.x, self.z, r)
        run.layers.append((self.layer.name, rule, bias, stabiliser))
        return inputs


@dataclass
class _MaxPool(_Step):
    winners: Tensor
    shape: torch.Size

    def back(self, r: Tensor, run: _Pass) -> Tensor:
        flat = r.new_zeros(*self.shape[:2], self.shape[2] * self.shape[3])
        flat.scatter_add_(2, self.winners.flatten(2), r.flatten(2))
        return flat.view(self.shape).contiguous(memory_format=torch.channels_last)


@dataclass
class _Flatten(_Step):
    shape: torch.Size

    def back(self, r: Tensor, run: _Pass) -> Tensor:
        return r.view(self.shape)


@dataclass
class _Branches(_Step):
    spec: BlockSpec
    chains: list[list[_Step]]

    def back(self, r: Tensor, run: _Pass) -> Tensor:
        reached = float64(r).sum(dim=(2, 3)).cpu()
        kept, mask = reached, run.masks.get(self.spec.name)
        if mask is not None:
            kept = reached * mask
            run.set_aside = run.set_aside + (reached * ~mask).sum(1)
            r = r * mask.to(r).view(1, -1, 1, 1)
        place, inputs = len(run.modules), list[Tensor]()
        for kind, chain in zip(BRANCHES, self.chains, strict=True):
            part = r[:, self.spec.channels(kind)]
            for step in reversed(chain):
                run.check()
                part = step.back(part, run)
            inputs.append(part)
        left = torch.stack([totals(part) for part in inputs], dim=1)
        run.modules.insert(place, (self.spec, reached, kept, left))
        return torch.stack(inputs).sum(0)
