"""Convolution and ReLU in one step with weights packed ahead, for one image on the CPU under inference mode.

oneDNN lays a convolution's weights out anew on every call; for one image that is a tenth of the whole pass. Here the
layout is made once per weight and image size and kept as long as the weight lives and stays what it was. Under
inference mode only: nothing that needs gradients, captum's hooks or torch's FLOP counter ever comes this way.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode


@dataclass(frozen=True)
class _Packed:
    """A weight in oneDNN's layout for images of one shape; `stamp` says what the weight was then."""

    of: weakref.ref[Tensor]
    stamp: tuple[int, int, torch.Size]
    weight: Tensor


_packed: dict[int, _Packed] = {}
"""By the weight's id, as long as it lives."""

AVAILABLE = (
    torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
)


def packs(x: Tensor, conv: nn.Conv2d, relu: nn.Module) -> bool:
    """Whether `conv_relu` may stand for the two modules: they are not hooked, and nothing but speed would differ."""
    if not (AVAILABLE and torch.is_inference_mode_enabled()):
        return False
    weight = conv.weight
    return (
        x.shape[0] == 1
        and x.is_cpu
        and x.dtype is torch.float32
        and weight.dtype is torch.float32
        and conv.bias is not None
        and not weight.is_inference()
        and not (conv._forward_hooks or conv._forward_pre_hooks or relu._forward_hooks or relu._forward_pre_hooks)
        and _get_current_dispatch_mode() is None  # a counter or tracer wants the plain operations
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
