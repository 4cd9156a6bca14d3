"""Named tensors -> the state dict of a network, or what doesn't fit in words. The tensors are untrusted input."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from ..architecture.network import GoogLeNet
from ..architecture.spec import NetworkSpec
from .checkpoint import CheckpointError
from .messages import first_few, shown
from .stored import Stored, all_finite

NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Types that weights may have; torch can't compute with the eight-bit ones."""


def _renamed(tensors: Mapping[str, Stored], names: Mapping[str, str] | None) -> dict[str, Stored]:
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


def fitted(tensors: Mapping[str, Stored], names: Mapping[str, str] | None, spec: NetworkSpec) -> dict[str, Tensor]:
    """The state dict of `GoogLeNet(spec)`, or a CheckpointError that tells missing, unknown and misshaped tensors.

    The tensors are read only where every name, shape and type fits.
    """
    expected, state = _shapes(spec), _renamed(tensors, names)
    counters = {key for key in expected if key.endswith("num_batches_tracked")}  # they play no part in any result
    wanted = {key: shape for key, shape in expected.items() if key not in counters}
    missing, unknown = [k for k in wanted if k not in state], [shown(k) for k in state if k not in expected]
    shapes = [
        f"{key} is {state[key].shape} and should be {shape}"
        for key, shape in wanted.items()
        if key in state and state[key].dtype is not None and state[key].shape != shape
    ]
    problems = [
        f"{len(found)} tensors {what}: {first_few(found)}"
        for what, found in (("are missing", missing), ("are unknown", unknown), ("have another shape", shapes))
        if found
    ]
    if problems:
        raise CheckpointError(f"{'; '.join(problems)}. The file is damaged or of another network")
    if unfit := [key for key in wanted if state[key].dtype not in NUMBERS]:
        raise _unfit(unfit)
    return {key: torch.tensor(0) if key in counters else _finite(key, state[key]) for key in expected}


@lru_cache(maxsize=4)
def _shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """Every tensor of a `GoogLeNet(spec)`; to be read only."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in GoogLeNet(spec).state_dict().items()}


def _finite(key: str, stored: Stored) -> Tensor:
    tensor = stored.read()
    if not all_finite(tensor):
        raise _unfit([key])
    return tensor


def _unfit(keys: list[str]) -> CheckpointError:
    return CheckpointError(f"{first_few(keys)} hold no finite numbers in a plain array; the file is damaged")
