"""What is done with the weights of a whole network: drawn at random, folded, shared with a second network."""

from __future__ import annotations

import copy
from typing import Literal, TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .network import GoogLeNet

M = TypeVar("M", bound=nn.Module)


Initialisation = Literal["he", "xavier"]
"""Where training starts: see `init_weights`."""
HE: Initialisation = "he"
XAVIER_BIAS = 0.2
"""Of every layer but the classifiers, whose biases are 0."""


def init_weights(network: M, seed: int = 0, scheme: Initialisation = HE) -> M:
    """Weights drawn in place: a start for training.

    "he": normal convolutions after He et al. 2015 and small linear layers, biases of 0. "xavier": Caffe's filler of
    that name, as BVLC trained the paper's network: uniform, variance one by the inputs, biases of 0.2.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        if scheme == "xavier":
            for name, module in network.named_modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_uniform_(module.weight, nonlinearity="linear", generator=generator)
                    if module.bias is not None:
                        module.bias.fill_(0.0 if name.split(".")[-1] == "classifier" else XAVIER_BIAS)
            return network
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                fan_out = (
                    module.weight[0].numel()
                    if isinstance(module, nn.Linear)
                    else (module.out_channels * module.kernel_size[0] * module.kernel_size[1])
                )
                std = 0.01 if isinstance(module, nn.Linear) else (2.0 / fan_out) ** 0.5
                module.weight.normal_(0.0, std, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
    return network


def fold_batch_norm(network: GoogLeNet) -> GoogLeNet:
    """A copy in eval mode whose convolutions carry the batch norm in weight and bias (computed in float64).

    A network without batch norm comes back as a plain copy.
    """
    folded = GoogLeNet(network.spec.folded()).eval()
    state = {k: v.detach().clone() for k, v in network.state_dict().items() if ".bn." not in k}
    for name, unit in network.conv_units():
        conv, bn = unit.conv, unit.bn
        if bn is None:
            continue
        assert bn.running_mean is not None
        assert bn.running_var is not None
        mean, variance = bn.running_mean.double(), bn.running_var.double()
        weight, bias = fuse_conv_bn_weights(
            conv.weight.double(), None, mean, variance, bn.eps, bn.weight.double(), bn.bias.double()
        )
        state[f"{name}.conv.weight"] = weight.detach().to(conv.weight.dtype)
        state[f"{name}.conv.bias"] = bias.detach().to(conv.weight.dtype)
    folded.load_state_dict(state)
    return folded


def weight_sharing_twin(module: M) -> M:
    """A copy with the same parameter and buffer tensors (costs no memory) and no hooks, whoever hooks the original.

    Hooks are not even looked at, so other threads may add and remove them meanwhile.
    """
    memo: dict[int, object] = {id(t): t for t in (*module.parameters(), *module.buffers())}
    for part in module.modules():
        memo |= {id(kept): type(kept)() for name, kept in vars(part).items() if name.endswith("_hooks")}
    return copy.deepcopy(module, memo=memo)
