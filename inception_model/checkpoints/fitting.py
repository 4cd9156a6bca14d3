"""Named tensors -> the state dict of a network, or what doesn't fit in words. The tensors are untrusted input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ..architecture.network import GoogLeNet
from ..architecture.spec import NetworkSpec
from .checkpoint import CheckpointError

NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Types that weights may have; torch can't compute with the eight-bit ones."""


def _renamed(tensors: Mapping[str, Tensor], names: Mapping[str, str] | None) -> dict[str, Tensor]:
    """The tensors keyed as here; those whose layer isn't in `names` keep the file's name in round brackets."""
    if names is None:
        return dict(tensors)
    renamed = {}
    for key, tensor in tensors.items():
        parts = key.split(".")
        layers = (".".join(parts[:n]) for n in range(1, len(parts)))
        layer = next((layer for layer in layers if layer in names), None)
        renamed[f"({key})" if layer is None else names[layer] + key[len(layer) :]] = tensor
    return renamed


def fitted(tensors: Mapping[str, Tensor], names: Mapping[str, str] | None, spec: NetworkSpec) -> dict[str, Tensor]:
    """The state dict of `GoogLeNet(spec)`, or a CheckpointError that tells missing, unknown and misshaped tensors."""
    with torch.device("meta"):
        expected = GoogLeNet(spec).state_dict()
    state = _renamed(tensors, names)
    counters = [key for key in expected if key.endswith("num_batches_tracked")]
    state |= {key: torch.tensor(0) for key in counters}  # plays no part in any result
    missing, unknown = [k for k in expected if k not in state], [k for k in state if k not in expected]
    shapes = [
        f"{key} is {tuple(state[key].shape)} and should be {tuple(value.shape)}"
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    problems = [
        f"{len(found)} tensors {what}: {first_few(found)}"
        for what, found in (("are missing", missing), ("are unknown", unknown), ("have another shape", shapes))
        if found
    ]
    if problems:
        raise CheckpointError(f"{'; '.join(problems)}. The file is damaged or of another network")
    unfit = [key for key, value in state.items() if not _is_plain(value)]
    if unfit:
        raise CheckpointError(f"{first_few(unfit)} hold no finite numbers in a plain array; the file is damaged")
    return {key: state[key] for key in expected}


def _is_plain(value: Tensor) -> bool:
    """A dense array on the CPU of finite floating-point numbers (or a counter)."""
    if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized or value.is_complex():
        return False
    if value.ndim > 0 and value.dtype not in NUMBERS:
        return False
    return bool(torch.isfinite(value.double()).all())


def first_few(names: Iterable[str], count: int = 3) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - count} more" if len(listed) > count else ""
    return ", ".join(listed[:count]) + more
