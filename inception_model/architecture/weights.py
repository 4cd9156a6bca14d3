"""What is done with the weights of a whole network: drawn at random, folded, shared with a second network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .network import GoogLeNet
from .spec import NetworkSpec

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
    return folded(network.spec, {key: value.detach().clone() for key, value in network.state_dict().items()})


def folded(spec: NetworkSpec, state: Mapping[str, Tensor]) -> GoogLeNet:
    """What `fold_batch_norm` gives for a `GoogLeNet(spec)` with this state, whose tensors become the network's own."""
    with torch.device("meta"):  # nothing is drawn that the state's tensors replace at once
        network = GoogLeNet(spec.folded()).eval()
    kept = {key: value for key, value in state.items() if ".bn." not in key}
    for name, _ in network.conv_units():
        if (eps := spec.batch_norm) is None:
            break
        weight, mean, variance, scale, shift = (
            state[f"{name}.{key}"].double()
            for key in ("conv.weight", "bn.running_mean", "bn.running_var", "bn.weight", "bn.bias")
        )
        fused = fuse_conv_bn_weights(weight, None, mean, variance, eps, scale, shift)
        for key, value in zip(("weight", "bias"), fused, strict=True):
            kept[f"{name}.conv.{key}"] = value.detach().to(state[f"{name}.conv.weight"].dtype)
    network.load_state_dict(kept, assign=True)
    return network


def weight_sharing_twin(module: M) -> M:
    """A copy with the same parameter and buffer tensors (costs no memory) and no hooks, whoever hooks the original.

    Hooks are not even looked at, so other threads may add and remove them meanwhile.
    """
    memo: dict[int, object] = {id(t): t for t in (*module.parameters(), *module.buffers())}
    for part in module.modules():
        memo |= {id(kept): type(kept)() for name, kept in vars(part).items() if name.endswith("_hooks")}
    return copy.deepcopy(module, memo=memo)
