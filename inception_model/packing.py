"""Convolution and ReLU in one step with weights packed ahead, for one image on the CPU under inference mode.

oneDNN lays a convolution's weights out anew on every call; for one image that is a tenth of the whole pass. Here the
layout is made once per weight and image size and kept as long as the weight lives and stays what it was. Under
inference mode only: nothing that needs gradients, captum's hooks or torch's FLOP counter ever comes this way.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode
from torch.utils.weak import WeakIdKeyDictionary

_Stamp = tuple[int, int, torch.Size]
_packed: WeakIdKeyDictionary = WeakIdKeyDictionary()

AVAILABLE = (
    torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
)


def packs(x: Tensor, conv: nn.Conv2d, relu: nn.Module) -> bool:
    """Whether `conv_relu` may stand for the two modules: they are not hooked, and nothing but speed would differ."""
    return (
        AVAILABLE
        and torch.is_inference_mode_enabled()
        and _get_current_dispatch_mode() is None  # a counter or tracer wants the plain operations
        and x.shape[0] == 1
        and x.device.type == "cpu"
        and x.dtype == conv.weight.dtype == torch.float32
        and conv.bias is not None
        and not conv.weight.is_inference()
        and not (conv._forward_hooks or conv._forward_pre_hooks or relu._forward_hooks or relu._forward_pre_hooks)
    )


def conv_relu(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """relu(conv(x)): (1, Cin, H, W) -> (1, Cout, H', W'), equal to the two modules up to rounding."""
    args = (conv.padding, conv.stride, conv.dilation, conv.groups)
    weight = conv.weight
    stamp: _Stamp = (weight._version, weight.data_ptr(), x.shape)
    known: tuple[_Stamp, Tensor] | None = _packed.get(weight)  # type: ignore[no-untyped-call]
    if known is None or known[0] != stamp:
        known = (stamp, torch.ops.mkldnn._reorder_convolution_weight(weight, *args, list(x.shape)))
        _packed[weight] = known
    return torch.ops.mkldnn._convolution_pointwise(x, known[1], conv.bias, *args, "relu", [], "")  # type: ignore[no-any-return]
