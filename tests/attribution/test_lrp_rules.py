"""Every rule of LRP beside numbers worked out by hand, beside zennit, and beside captum where its LRP works."""

from __future__ import annotations

import copy

import captum.attr as captum
import pytest
import torch
from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule
from torch import Tensor, nn
from zennit.core import BasicHook, Stabilizer
from zennit.rules import AlphaBeta as ZennitAlphaBeta
from zennit.rules import Epsilon as ZennitEpsilon
from zennit.rules import Flat as ZennitFlat
from zennit.rules import Gamma as ZennitGamma
from zennit.rules import ZBox as ZennitZBox

from inception_model.architecture.network import ConvUnit
from inception_model.attribution.lrp import AlphaBeta, Epsilon, Flat, Gamma, Rule, ZBox
from inception_model.attribution.lrp.layers import Average, Convolution, FullyConnected, LinearLayer
from tests.compare import assert_close, relative_norm

Worked = tuple[Rule, list[float], float, float]

# One output of weights (2, -3), bias 1 and inputs (4, 1): the parts are 8, -3 and 1, z = 6, and R = 12.
BY_HAND: dict[str, Worked] = {
    "LRP-0": (Epsilon(0.0), [16.0, -6.0], 2.0, 0.0),
    "epsilon 2": (Epsilon(2.0), [12.0, -4.5], 1.5, 3.0),
    "epsilon half the rms": (Epsilon(0.5, relative=True), [32 / 3, -4.0], 4 / 3, 4.0),
    # Positive parts once more: 16 - 3 + 2 = 15 below the line.
    "gamma 1": (Gamma(1.0), [12 * 16 / 15, -12 * 3 / 15], 12 * 2 / 15, 0.0),
    "alpha 1, beta 0": (AlphaBeta(1, 0), [12 * 8 / 9, 0.0], 12 / 9, 0.0),
    "alpha 2, beta 1": (AlphaBeta(2, 1), [24 * 8 / 9, -12.0], 24 / 9, 0.0),
    "flat": (Flat(), [6.0, 6.0], 0.0, 0.0),
    # From the worst input (-1 for the positive weight, 5 for the negative one): 2 (4 + 1) = 10 and -3 (1 - 5) = 12.
    "z-box": (ZBox(), [12 * 10 / 22, 12 * 12 / 22], 0.0, 0.0),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_rule_by_hand(name: str) -> None:
    rule, inputs, bias, stabiliser = BY_HAND[name]
    unit = ConvUnit(2, 1, 1)
    unit.conv.weight.data = torch.tensor([2.0, -3.0]).view(1, 2, 1, 1)
    unit.conv.bias = nn.Parameter(torch.tensor([1.0]))
    layer = Convolution("layer", unit, torch.float64)
    layer.box = tuple(torch.full((1, 2, 1, 1), edge, dtype=torch.float64) for edge in (-1.0, 5.0))  # type: ignore[assignment]
    x = torch.tensor([4.0, 1.0], dtype=torch.float64).view(1, 2, 1, 1)
    z = layer(x)
    assert z.item() == pytest.approx(6)
    found = rule.share(layer, x, z, torch.full_like(z, 12.0))
    assert found.inputs.flatten().tolist() == pytest.approx(inputs, rel=1e-6)
    assert found.bias.item() == pytest.approx(bias, rel=1e-6)
    assert_close(found.stabiliser.item(), stabiliser, 1e-6, scale=12.0)
    assert found.inputs.sum().item() + found.bias.item() + found.stabiliser.item() == pytest.approx(12, rel=1e-12)


def test_alpha_beta_refuses_parameters_that_lose_relevance() -> None:
    for alpha, beta in ((2, 0), (1, 1), (0.5, -0.5)):
        with pytest.raises(ValueError, match="must be 1"):
            AlphaBeta(alpha, beta)


def test_the_z_box_needs_a_box() -> None:
    layer = Convolution("conv2", ConvUnit(2, 1, 1), torch.float64)
    x = torch.ones(1, 2, 3, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="nobody knows of conv2"):
        ZBox().share(layer, x, layer(x), layer(x))


LOW, HIGH = (torch.full((1, 3, 1, 1), edge, dtype=torch.float64) for edge in (-2.5, 2.5))
PAIRS: dict[str, tuple[Rule, BasicHook]] = {
    "epsilon": (Epsilon(0.01), ZennitEpsilon(epsilon=0.01)),
    "epsilon of the rms": (Epsilon(0.25, relative=True), ZennitEpsilon(epsilon=Stabilizer(0.25, norm_scale=True))),
    "gamma": (Gamma(0.4), ZennitGamma(gamma=0.4)),
    "alpha 2, beta 1": (AlphaBeta(2, 1), ZennitAlphaBeta(alpha=2, beta=1)),
    "alpha 1, beta 0": (AlphaBeta(1, 0), ZennitAlphaBeta(alpha=1, beta=0)),
    "z-box": (ZBox(), ZennitZBox(low=LOW, high=HIGH)),
    "flat": (Flat(), ZennitFlat()),
}


@pytest.fixture(scope="module")
def noise() -> Tensor:
    return torch.randn(2, 3, 13, 13, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (7, 2), (1, 1)])
def test_a_rule_is_zennits_for_inputs_and_relevance_of_either_sign(
    name: str, kernel: int, stride: int, noise: Tensor
) -> None:
    ours, theirs = PAIRS[name]
    torch.manual_seed(3)
    unit = ConvUnit(3, 5, kernel, stride=stride).double()
    layer = Convolution("conv", unit, torch.float64)
    layer.box = (LOW, HIGH)
    z = layer(noise)
    relevance = torch.randn(z.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    found = ours.share(layer, noise, z, relevance)
    leaf, handle = noise.clone().requires_grad_(), theirs.copy().register(unit.conv)
    wanted = torch.autograd.grad(unit.conv(leaf), leaf, relevance)[0]
    handle.remove()
    assert_close(found.inputs, wanted, 1e-6)
    accounted = found.inputs.flatten(1).sum(1) + found.bias + found.stabiliser
    assert_close(accounted, relevance.flatten(1).sum(1), 1e-9)


def passed_back(layers: list[LinearLayer | nn.Module], rules: dict[str, Rule], x: Tensor, index: int) -> Tensor:
    """Relevance of one output of a plain chain of linear layers and ReLUs."""
    steps: list[tuple[LinearLayer, Tensor, Tensor]] = []
    for layer in layers:
        if isinstance(layer, LinearLayer):
            if layer.role == "linear":
                x = x.flatten(1)
            z = layer(x)
            steps.append((layer, x, z))
            x = z
        else:
            x = layer(x)
    r = torch.zeros_like(x)
    r[:, index] = x[:, index]
    for layer, seen, z in reversed(steps):
        r = rules[layer.role].share(layer, seen, z, r.view(z.shape)).inputs
    return r


@pytest.fixture(scope="module")
def vgg() -> nn.Sequential:
    """Three convolutions and two linear layers in a row, with biases."""
    torch.manual_seed(7)
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10), nn.ReLU(), nn.Linear(10, 4)),
    ).double()


def as_layers(network: nn.Sequential) -> list[LinearLayer | nn.Module]:
    layers: list[LinearLayer | nn.Module] = []
    for place, module in enumerate(network):
        if isinstance(module, nn.Conv2d):
            unit = ConvUnit(module.in_channels, module.out_channels, 3, padding=(module.padding[0],) * 2)  # type: ignore[arg-type]
            unit.conv = module
            layers.append(Convolution(str(place), unit, torch.float64))
        elif isinstance(module, nn.Linear):
            layers.append(FullyConnected(str(place), module, torch.float64))
        elif isinstance(module, nn.AvgPool2d):
            layers.append(Average(str(place), module))
        else:
            layers.append(module)
    return layers


@pytest.mark.parametrize("name", ["epsilon", "epsilon of the rms", "gamma", "alpha 2, beta 1", "alpha 1, beta 0"])
def test_a_plain_network_is_zennits(name: str, vgg: nn.Sequential, noise: Tensor) -> None:
    from zennit.composites import LayerMapComposite, layer_map_base
    from zennit.types import Convolution as AnyConvolution

    ours, theirs = PAIRS[name]
    x = noise[:1, :, :12, :12]
    layer_map = [*layer_map_base(1e-6), (AnyConvolution, theirs), (nn.Linear, ZennitEpsilon(epsilon=1e-6))]
    leaf = x.clone().requires_grad_()
    with LayerMapComposite(layer_map=layer_map).context(vgg) as hooked:
        score = hooked(leaf)[:, 2]
        wanted = torch.autograd.grad(score.sum(), leaf, score.detach().sum())[0]
    rules: dict[str, Rule] = {"convolution": ours, "linear": Epsilon(), "average": Epsilon()}
    assert_close(passed_back(as_layers(vgg), rules, x, 2), wanted, 1e-5)


@pytest.fixture
def bare(vgg: nn.Sequential) -> nn.Sequential:
    """The same network without biases."""
    network = copy.deepcopy(vgg)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
    return network


def all_with(rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(("convolution", "linear", "average"), rule)


@pytest.mark.parametrize("name", ["epsilon", "gamma"])
def test_a_plain_network_is_captums(name: str, vgg: nn.Sequential, bare: nn.Sequential, noise: Tensor) -> None:
    # Captum's gamma is the original one, for inputs that are not negative, and counts biases once only.
    network = copy.deepcopy(vgg) if name == "epsilon" else bare
    x = noise[:1, :, :12, :12].abs()
    for module in network:
        if not isinstance(module, nn.ReLU):
            bent = name == "gamma" and isinstance(module, nn.Conv2d)
            module.rule = GammaRule(gamma=0.25) if bent else EpsilonRule(epsilon=1e-9)  # type: ignore[assignment]
    wanted = captum.LRP(network).attribute(x.clone().requires_grad_(), target=2).detach()
    rules = all_with(Epsilon(1e-9))
    if name == "gamma":
        rules["convolution"] = Gamma(0.25)
    assert_close(passed_back(as_layers(network), rules, x, 2), wanted, 1e-4)


def test_lrp_0_without_biases_is_input_times_gradient_and_keeps_the_whole_score(
    bare: nn.Sequential, noise: Tensor
) -> None:
    """Ancona et al. 2018, proposition 1; Kindermans et al. 2016."""
    leaf = noise[:1, :, :12, :12].clone().requires_grad_()
    score = bare(leaf)[0, 1]
    gradient = torch.autograd.grad(score, leaf)[0]
    x = leaf.detach()
    found = passed_back(as_layers(bare), all_with(Epsilon(0.0)), x, 1)
    assert_close(found, x * gradient, 1e-9)
    assert found.sum().item() == pytest.approx(score.item(), rel=1e-9)
    assert relative_norm(passed_back(as_layers(bare), all_with(Epsilon(0.1)), x, 1), found) > 0.01
