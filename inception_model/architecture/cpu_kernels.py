"""Faster ways through a finished network for one image on the CPU: `install` puts them on top, nothing else changes.

oneDNN lays a convolution's weights out anew on every call; for one image that is a tenth of the whole pass. Here the
layout is made once per weight and image size and kept as long as the weight lives and stays what it was. Under
inference mode only: nothing that needs gradients, captum's hooks or torch's FLOP counter ever comes this way.
In float32, and in bfloat16 where the processor multiplies it faster (AVX512-BF16, AMX). The operators are private to
torch. Where this torch lacks them, or they compute something else, the units stay as they are.
"""

from __future__ import annotations

import copy
import weakref
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .network import ConvUnit

M = TypeVar("M", bound=nn.Module)


TOLERANCES = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
"""How far the fast way may be from the plain one in float32, as a relative norm, by the type that it computes in."""


@dataclass(frozen=True)
class _Packed:
    """A weight in oneDNN's layout for images of one shape; `stamp` says what the weight was then."""

    of: weakref.ref[Tensor]
    stamp: tuple[int, int, torch.Size]
    weight: Tensor


_packed: dict[int, _Packed] = {}
"""By the weight's id, as long as it lives."""


def install(network: M) -> M:
    """Gives every convolution of a network (or a part of one) on the CPU its fast way, in place; returns it.

    Names, weights and hooks stay: a convolution only becomes a subclass of what it was, which copies, weight-sharing
    twins and `state_dict` don't notice. Units with batch norm keep their plain order, theirs is a training network.
    """
    for unit in [module for module in network.modules() if isinstance(module, ConvUnit)]:
        if unit.conv.kernel_size == (1, 1) and type(unit.conv) is nn.Conv2d:
            unit.conv.__class__ = PointwiseConv
        if unit.bn is None and type(unit) is ConvUnit and available(unit.conv.weight.dtype):
            unit.__class__ = PackedConvUnit
    return network


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution. One image in channels-last memory is multiplied as a plain matrix, which is faster on CPUs.

    36 of the 57 convolutions of the trunk are of this kind: a whole forward pass of one image takes 7% less time.
    """

    def forward(self, input: Tensor) -> Tensor:
        if (
            input.shape[0] != 1
            or input.device.type != "cpu"
            or not input.is_contiguous(memory_format=torch.channels_last)
        ):
            return super().forward(input)
        rows = input.permute(0, 2, 3, 1)  # (1, H, W, Cin), no copy
        return F.linear(rows, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class PackedConvUnit(ConvUnit):
    """A ConvUnit without batch norm that takes convolution and ReLU in one step where nothing but speed differs."""

    def forward(self, x: Tensor) -> Tensor:
        padded = x if self.pad is None else self.pad(x)
        return conv_relu(padded, self.conv) if packs(padded, self.conv, self.relu) else super().forward(x)


@cache
def available(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this torch has the private operators for a type and they compute what they are used for: tried once, on
    one pixel and its neighbours. Where bfloat16 is only emulated the plain way is the faster one: False."""
    if dtype not in TOLERANCES or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    try:
        if dtype is torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return False
        _dispatch_mode()
        with torch.inference_mode(False):  # a weight that is made under it tells no version
            x = torch.arange(-9.0, 9.0).view(1, 2, 3, 3).contiguous(memory_format=torch.channels_last)
            conv = nn.Conv2d(2, 3, 3, padding=1).requires_grad_(False)
            own = copy.deepcopy(conv).to(dtype)
        with torch.inference_mode():
            wanted, found = conv(x).relu(), conv_relu(x.to(dtype), own).float()
        return float((found - wanted).norm()) <= TOLERANCES[dtype] * float(wanted.norm())
    except (AttributeError, ImportError, RuntimeError, TypeError, ValueError, NotImplementedError):
        return False


def _dispatch_mode() -> object | None:
    """The counter or tracer that watches torch's operations now."""
    from torch.utils._python_dispatch import _get_current_dispatch_mode

    return _get_current_dispatch_mode()


def packs(x: Tensor, conv: nn.Conv2d, relu: nn.Module) -> bool:
    """Whether `conv_relu` may stand for the two modules: they are not hooked, and nothing but speed would differ."""
    if not torch.is_inference_mode_enabled():
        return False
    weight = conv.weight
    return (
        x.shape[0] == 1
        and x.is_cpu
        and x.dtype is weight.dtype
        and available(x.dtype)
        and conv.bias is not None
        and not weight.is_inference()
        and not (conv._forward_hooks or conv._forward_pre_hooks or relu._forward_hooks or relu._forward_pre_hooks)
        and _dispatch_mode() is None  # a counter or tracer wants the plain operations
    )


def conv_relu(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """relu(conv(x)): (1, Cin, H, W) -> (1, Cout, H', W'), equal to the two modules up to rounding."""
    args = (conv.padding, conv.stride, conv.dilation, conv.groups)
    weight, key = conv.weight, id(conv.weight)
    stamp = (weight._version, weight.data_ptr(), x.shape)
    known = _packed.get(key)
    if known is None or known.stamp != stamp or known.of() is not weight:
        laid_out = torch.ops.mkldnn._reorder_convolution_weight(weight, *args, list(x.shape))
        of = weakref.ref(weight, lambda gone: _forget(key, gone))
        known = _packed[key] = _Packed(of, stamp, laid_out)
    return torch.ops.mkldnn._convolution_pointwise(x, known.weight, conv.bias, *args, "relu", [], "")  # type: ignore[no-any-return]


def _forget(key: int, gone: weakref.ref[Tensor]) -> None:
    if (known := _packed.get(key)) is not None and known.of is gone:
        del _packed[key]
