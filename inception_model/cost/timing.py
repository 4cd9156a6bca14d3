"""The time of naive Inception modules beside the real ones on a device."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..architecture import cpu_kernels
from ..architecture.network import InceptionBlock
from ..architecture.spec import DEFAULT_SIZE, BlockSpec, NetworkSpec
from ..progress import Progress, report
from .layers import DEFAULT_NAIVE, NaiveKind, map_sides, stacked
from .naive import NaiveBlock


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
    kind: NaiveKind = DEFAULT_NAIVE,
    naive_channels: int | None = None,
    dtype: torch.dtype = torch.float32,
    batch: int = 1,
    runs: int = 9,
) -> ModuleTiming:
    """Times the real module of that spec beside its naive twin on `side` x `side` maps, run by run in turns.

    Both have random weights and channels-last memory, as the app's networks do. Two unmeasured runs of each come
    first. `naive_channels`: what the naive module reads where that isn't the real module's input (Figure 2(a) stacked).
    Raises ValueError if `runs`, `batch` or `side` is below one.
    """
    if min(runs, batch, side) < 1:
        raise ValueError(f"runs, batch and side must be >= 1, not {runs}, {batch}, {side}")
    where = torch.device(device)
    naive_spec = replace(spec, in_channels=naive_channels or spec.in_channels)
    pair = []
    for block, module in ((spec, InceptionBlock(spec, None)), (naive_spec, NaiveBlock(naive_spec, kind))):
        x = torch.rand(batch, block.in_channels, side, side, generator=torch.Generator().manual_seed(0))
        moved = module.eval().to(where, dtype).to(memory_format=torch.channels_last)
        if where.type == "cpu":
            cpu_kernels.install(moved)
        pair.append((moved, x.to(where, dtype, memory_format=torch.channels_last)))
    with torch.inference_mode():
        for module, x in pair * 2:
            _seconds(module, x)
        times = [(_seconds(*pair[0]), _seconds(*pair[1])) for _ in range(runs)]
    reduced, naive = zip(*times, strict=True)
    return ModuleTiming(spec.name, kind, str(where), batch, side, reduced, naive)


def measure_modules(
    spec: NetworkSpec,
    size: int = DEFAULT_SIZE,
    device: torch.device | str = "cpu",
    *,
    kind: NaiveKind = DEFAULT_NAIVE,
    dtype: torch.dtype = torch.float32,
    runs: int = 9,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> tuple[ModuleTiming, ...]:
    """`measure_module` for every module of a network on a `size` x `size` image; raises Cancelled if asked to."""
    sides = map_sides(spec, size)
    inputs = {block.name: block.in_channels for block in (stacked(spec) if kind == "figure-2a" else spec.blocks)}
    timings = []
    for index, block in enumerate(spec.blocks):
        report(index, len(spec.blocks), progress, cancel)
        timings.append(
            measure_module(
                block,
                sides[block.name],
                device,
                kind=kind,
                naive_channels=inputs[block.name],
                dtype=dtype,
                runs=runs,
            )
        )
    report(len(spec.blocks), len(spec.blocks), progress, None)
    return tuple(timings)


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
