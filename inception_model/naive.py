"""The naive Inception module as a real layer, and its time beside the real module's on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .layers import NaiveKind
from .network import ConvUnit, InceptionBlock
from .spec import BlockSpec


class NaiveBlock(nn.Module):
    """A module without 1x1 reductions: (N, Cin, H, W) -> (N, Cout, H, W).

    With "same-outputs" the pool projection stays and Cout is the real module's; otherwise it is Figure 2(a): the pool
    branch passes its input on and Cout is larger by Cin minus the projection's width.
    """

    def __init__(self, spec: BlockSpec, kind: NaiveKind = "same-outputs") -> None:
        super().__init__()
        cin = spec.in_channels
        self.branches = nn.ModuleList(
            [
                ConvUnit(cin, spec.one, 1),
                ConvUnit(cin, spec.three, 3),
                ConvUnit(cin, spec.five, spec.five_kernel),
                nn.Sequential(
                    nn.MaxPool2d(3, 1, padding=1),
                    ConvUnit(cin, spec.pool_proj, 1) if kind == "same-outputs" else nn.Identity(),
                ),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


@dataclass(frozen=True)
class ModuleTiming:
    """Seconds of single runs of one module, reduced and naive in turns, on `batch` images."""

    module: str
    kind: NaiveKind
    device: str
    batch: int
    side: int
    reduced: tuple[float, ...]
    naive: tuple[float, ...]

    @property
    def reduced_seconds(self) -> float:
        """Median of the real module's runs."""
        return statistics.median(self.reduced)

    @property
    def naive_seconds(self) -> float:
        """Median of the naive module's runs."""
        return statistics.median(self.naive)

    @property
    def ratio(self) -> float:
        """How many times longer the naive module takes: the median over the pairs of runs."""
        return statistics.median(n / r for n, r in zip(self.naive, self.reduced, strict=True))


def measure_module(
    spec: BlockSpec,
    side: int,
    device: torch.device | str = "cpu",
    *,
    kind: NaiveKind = "same-outputs",
    batch: int = 1,
    runs: int = 9,
) -> ModuleTiming:
    """Times the real module of that spec beside its naive twin on `side` x `side` maps, run by run in turns.

    Both have random weights in float32 and channels-last memory, as the app's networks do. Two unmeasured runs of
    each come first. Raises ValueError if `runs`, `batch` or `side` is below one.
    """
    if min(runs, batch, side) < 1:
        raise ValueError(f"runs, batch and side must be >= 1, not {runs}, {batch}, {side}")
    where = torch.device(device)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, spec.in_channels, side, side, generator=generator)
    x = x.to(where).contiguous(memory_format=torch.channels_last)
    pair = [_on_device(InceptionBlock(spec, None), where), _on_device(NaiveBlock(spec, kind), where)]
    with torch.inference_mode():
        for module in pair * 2:
            _seconds(module, x)
        times = [(_seconds(pair[0], x), _seconds(pair[1], x)) for _ in range(runs)]
    reduced, naive = zip(*times, strict=True)
    return ModuleTiming(spec.name, kind, str(where), batch, side, reduced, naive)


def measure_modules(
    blocks: tuple[BlockSpec, ...],
    sides: dict[str, int],
    device: torch.device | str = "cpu",
    *,
    kind: NaiveKind = "same-outputs",
    runs: int = 9,
    progress: Callable[[str, float], None] = lambda module, share: None,
) -> Iterator[ModuleTiming]:
    """`measure_module` for several modules; `progress(module, share done)` is called before each."""
    for index, block in enumerate(blocks):
        progress(block.name, index / len(blocks))
        yield measure_module(block, sides[block.name], device, kind=kind, runs=runs)


def _on_device(module: nn.Module, device: torch.device) -> nn.Module:
    module = module.to(device).to(memory_format=torch.channels_last)
    return module.eval()


def _seconds(module: nn.Module, x: Tensor) -> float:
    _finish(x.device)
    start = time.perf_counter()
    module(x)
    _finish(x.device)
    return time.perf_counter() - start


def _finish(device: torch.device) -> None:
    """Waits for the device's queue, so that a time covers the whole run."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
