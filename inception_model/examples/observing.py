"""One pass of a batch: of every channel its peak, its mean, and how much it pushes the class that main names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..architecture.network import Heads
from ..inference.classifier import Classifier
from ..inference.trace import forward_hooks
from .channels import channels_of

Floats = NDArray[np.float32]
Places = NDArray[np.int16]


@dataclass(frozen=True)
class Strengths:
    """Of n images and all U channels (n, U): a value, and the row and column of the map that it is shown by."""

    values: Floats
    rows: Places
    columns: Places


@dataclass(frozen=True)
class Observed:
    """What is kept of n images.

    `activation`: each channel's largest activation and where it lies. `relevance`: activation times gradient of the
    logit that is largest at main, summed over positions, and where it is largest. `means` (n, U): of the activation
    over all positions. `features` (n, C): the last module's averages.
    """

    activation: Strengths
    relevance: Strengths
    means: Floats
    features: Floats
    heads: Heads


def observe(classifier: Classifier, x: Tensor) -> Observed:
    """Looks at normalised images (n, 3, S, S): one forward and one backward pass.

    The network is hooked while this runs: give it a classifier of its own (`Classifier.twin`).
    """
    network = classifier.network
    channels, units = channels_of(network.spec), dict(network.conv_units())
    seen: dict[str, Tensor] = {}
    with torch.enable_grad():
        # Gradients end at the first convolution's output: nobody asks for those of the pixels.
        seen["conv1"] = first = units["conv1"](classifier.to_input(x)).detach().requires_grad_(True)
        behind: dict[str, nn.Module] = {
            place.node: units[place.node] for place in channels.places if place.node != "conv1"
        }
        with forward_hooks(behind, lambda name, _, output: seen.__setitem__(name, output)):
            stem = units["conv2"](units["conv2_reduce"](network.lrn1(network.pool1(first))))
            start = network.pool2(network.lrn2(stem))
            heads = network.heads_from(network.trunk(start, start=network.spec.module_names[0]))
        maps = [seen[place.node] for place in channels.places]
        named = heads.main.argmax(dim=1, keepdim=True)
        gradients = torch.autograd.grad(heads.main.gather(1, named).sum(), maps)
    shape = len(x), channels.total
    activation, relevance = _empty(shape), _empty(shape)
    means = np.empty(shape, dtype=np.float32)
    with torch.inference_mode():
        for place, activations, gradient in zip(channels.places, maps, gradients, strict=True):
            lane = channels.lanes[place]
            flat = _flat(activations.detach())
            pushed = flat * _flat(gradient)
            _peaks(activation, lane, flat, activations.shape[-1])
            _peaks(relevance, lane, pushed, activations.shape[-1])
            relevance.values[:, lane] = _numpy(pushed.sum(dim=1))
            means[:, lane] = _numpy(flat.mean(dim=1))
    features = np.concatenate([means[:, lane] for lane in channels.features], axis=1)
    plain = heads.map(lambda logits: logits.detach().float().cpu())
    return Observed(activation, relevance, means, features, plain)


def _flat(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H W, C), without a copy where the memory is channels-last."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2).float()


def _peaks(into: Strengths, lane: slice, flat: Tensor, width: int) -> None:
    """The largest value over positions, the first of equal ones, with its row and column."""
    found = flat.max(dim=1)
    into.values[:, lane] = _numpy(found.values)
    where = found.indices.cpu().numpy()
    into.rows[:, lane], into.columns[:, lane] = where // width, where % width


def _empty(shape: tuple[int, int]) -> Strengths:
    return Strengths(*(np.empty(shape, dtype=kind) for kind in (np.float32, np.int16, np.int16)))


def _numpy(values: Tensor) -> Floats:
    return np.asarray(values.float().cpu().numpy(), dtype=np.float32)
