"""The packed way through a convolution equals the plain one, steps aside for hooks, and notices new weights."""

from __future__ import annotations

import copy

import torch
from torch import nn

from inception_model.architecture import cpu_kernels, variants
from inception_model.architecture.network import ConvUnit, GoogLeNet, init_weights, weight_sharing_twin
from tests.compare import relative_norm


def network() -> GoogLeNet:
    made = init_weights(GoogLeNet(variants.tiny(5)), seed=3).eval().requires_grad_(False)
    return made.to(memory_format=torch.channels_last)


def image(side: int = 96) -> torch.Tensor:
    generator = torch.Generator().manual_seed(side)
    return torch.randn(1, 3, side, side, generator=generator).contiguous(memory_format=torch.channels_last)


def both_ways(net: GoogLeNet, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        plain = net(x)
    with torch.inference_mode():
        return plain, net(x)


def test_packed_equals_plain_at_changing_sizes_and_with_changing_weights() -> None:
    net = network()
    for side in (96, 128, 96):
        plain, packed = both_ways(net, image(side))
        assert relative_norm(packed, plain) < 1e-5
    before = both_ways(net, image())[1].clone()
    with torch.no_grad():
        for _, unit in net.conv_units():
            unit.conv.weight.mul_(1.2)
    plain, packed = both_ways(net, image())
    assert relative_norm(packed, plain) < 1e-5
    assert relative_norm(packed, before) > 0.01
    for _, unit in net.conv_units():
        unit.conv.weight.data = unit.conv.weight.data * 0.9
    plain, packed = both_ways(net, image())
    assert relative_norm(packed, plain) < 1e-5


def test_copies_and_twins_give_their_own_answers() -> None:
    net, x = network(), image()
    first = both_ways(net, x)[1]
    assert torch.equal(both_ways(weight_sharing_twin(net), x)[1], first)
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.block("5b").unit("1x1").conv.weight.neg_()
    assert relative_norm(both_ways(other, x)[1], first) > 1e-4
    assert torch.equal(both_ways(net, x)[1], first)


def test_hooks_on_convolution_and_relu_still_see_their_values() -> None:
    unit = ConvUnit(4, 6, 3).eval().requires_grad_(False)
    x = torch.randn(1, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str) -> object:
        return lambda _module, _inputs, output: seen.__setitem__(name, output)

    handles = [getattr(unit, name).register_forward_hook(keep(name)) for name in ("conv", "relu")]
    with torch.inference_mode():
        hooked = unit(x)
    for handle in handles:
        handle.remove()
    assert float(seen["conv"].min()) < 0 <= float(seen["relu"].min())
    assert torch.equal(seen["relu"], hooked)
    with torch.inference_mode():
        assert cpu_kernels.packs(x, unit.conv, unit.relu) is cpu_kernels.AVAILABLE
        assert relative_norm(unit(x), nn.functional.relu(unit.conv(x))) < 1e-5
