"""This project's composites, written with zennit's own parts: the reference of LRP."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from zennit.composites import (
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlusFlat,
    LayerMapComposite,
    NameMapComposite,
    layer_map_base,
)
from zennit.core import Composite, Stabilizer
from zennit.rules import Epsilon, Gamma, Pass, ZBox
from zennit.types import AvgPool, Convolution

LRN = [(nn.LocalResponseNorm, Pass())]


def _epsilon(low: Tensor, high: Tensor, model: nn.Module) -> Composite:
    damped = Epsilon(epsilon=Stabilizer(epsilon=0.25, norm_scale=True))
    layers = [*LRN, *layer_map_base(1e-6), (Convolution, damped), (nn.Linear, Epsilon(epsilon=1e-6))]
    return LayerMapComposite(layer_map=layers)


def _gamma(low: Tensor, high: Tensor, model: nn.Module) -> Composite:
    """Written out by name: what lies below 4b, what up to 4e, and the rest."""
    rules: list[tuple[list[str], object]] = []
    for name, module in model.named_modules():
        place = name.removeprefix("network.")
        if place == "conv1.conv":
            rules.append(([name], ZBox(low=low, high=high)))
        elif isinstance(module, nn.Conv2d):
            damped = Epsilon(epsilon=Stabilizer(epsilon=0.25, norm_scale=True))
            below = place.split(".")[0] in ("conv2_reduce", "conv2", "3a", "3b", "4a")
            rules.append(([name], Gamma(0.25) if below else damped if place.startswith("4") else Epsilon()))
        elif isinstance(module, nn.Linear):
            rules.append(([name], Epsilon()))
        else:
            kinds = [*LRN, *layer_map_base(1e-6)]
            rules += [([name], hook) for types, hook in kinds if isinstance(module, types)][:1]
    return NameMapComposite(name_map=rules)


COMPOSITES: dict[str, Callable[[Tensor, Tensor, nn.Module], Composite]] = {
    "epsilon-plus-flat": lambda low, high, model: EpsilonPlusFlat(layer_map=LRN),
    "epsilon-gamma-box": lambda low, high, model: EpsilonGammaBox(low=low, high=high, layer_map=LRN),
    "gamma": _gamma,
    "epsilon": _epsilon,
    "alpha2-beta1": lambda low, high, model: EpsilonAlpha2Beta1(layer_map=LRN),
    "alpha2-beta1-flat": lambda low, high, model: EpsilonAlpha2Beta1Flat(layer_map=LRN),
}

assert isinstance(nn.AdaptiveAvgPool2d(1), AvgPool)


def zennit_relevance(
    model: nn.Module,
    x: Tensor,
    index: int,
    name: str,
    ends: tuple[Tensor, Tensor],
    watched: tuple[nn.Module, Tensor] | None = None,
) -> Tensor:
    """Relevance of logit `index` at the pixels by zennit. `ends`: the darkest and the brightest pixel (1, 3, 1, 1);
    `watched`: a module and which of its output's channels (C,) keep their relevance."""
    leaf = x.clone().requires_grad_()
    composite = COMPOSITES[name](*ends, model)
    handles = []
    if watched is not None:
        module, mask = watched

        def keep(_: nn.Module, inputs: object, output: Tensor) -> None:
            output.register_hook(lambda relevance: relevance * mask.to(relevance).view(1, -1, 1, 1))

        handles.append(module.register_forward_hook(keep))
    try:
        with composite.context(model) as hooked:
            score = hooked(leaf)[:, index]
            found: Tensor = torch.autograd.grad(score.sum(), leaf, score.detach().sum())[0]
            return found
    finally:
        for handle in handles:
            handle.remove()
