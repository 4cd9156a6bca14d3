"""The packed way through a convolution equals the plain one, steps aside for hooks, and notices new weights.

Where torch's private operators are missing or changed, the plain way gives the same answers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from inception_model.architecture import cpu_kernels, variants
from inception_model.architecture.network import ConvUnit, GoogLeNet
from inception_model.architecture.weights import init_weights, weight_sharing_twin
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.inference.classifier import build
from inception_model.inference.trace import capture
from tests.compare import relative_norm


def network() -> GoogLeNet:
    made = init_weights(GoogLeNet(variants.tiny(5)), seed=3).eval().requires_grad_(False)
    return cpu_kernels.install(made.to(memory_format=torch.channels_last))


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
    unit = network().block("4d").unit("3x3")
    x = torch.randn(1, unit.conv.in_channels, 9, 9).contiguous(memory_format=torch.channels_last)
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
        assert cpu_kernels.packs(x, unit.conv, unit.relu)
        assert relative_norm(unit(x), nn.functional.relu(unit.conv(x))) < 1e-5


def test_the_model_itself_is_plain_and_installing_changes_no_name_and_no_number(bundled_checkpoint: Checkpoint) -> None:
    plain = bundled_checkpoint.network().to(memory_format=torch.channels_last)
    assert {type(unit) for _, unit in plain.conv_units()} == {ConvUnit}
    assert {type(unit.conv) for _, unit in plain.conv_units()} == {nn.Conv2d}
    fast = build(bundled_checkpoint, "cpu").network
    assert {type(unit) for _, unit in fast.conv_units()} == {
        cpu_kernels.PackedConvUnit if cpu_kernels.available() else ConvUnit
    }
    wanted, found = plain.state_dict(), fast.state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    x = image(224)
    with torch.inference_mode():
        for ours, theirs in zip(fast.forward_heads(x), plain.forward_heads(x), strict=True):
            assert ours is not None
            assert theirs is not None
            assert relative_norm(ours, theirs) < 1e-5
    assert {type(unit) for _, unit in weight_sharing_twin(fast).conv_units()} == {
        type(unit) for _, unit in fast.conv_units()
    }


def test_bfloat16_is_packed_where_the_processor_has_it(bundled_checkpoint: Checkpoint) -> None:
    rough, x = build(bundled_checkpoint, "cpu", "bfloat16"), image(224)
    packed = all(type(unit) is cpu_kernels.PackedConvUnit for _, unit in rough.network.conv_units())
    assert packed == cpu_kernels.available(torch.bfloat16)
    plain = bundled_checkpoint.network().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        wanted = plain.forward_heads(x)
    for head, logits in rough.heads_of(x)._asdict().items():
        assert relative_norm(logits, wanted.of(head)) < 2e-2
    unit = rough.network.block("4d").unit("3x3")
    with torch.inference_mode():
        own = torch.ones(1, unit.conv.in_channels, 7, 7).contiguous(memory_format=torch.channels_last)
        assert cpu_kernels.packs(own.bfloat16(), unit.conv, unit.relu) == packed
        assert not cpu_kernels.packs(own, unit.conv, unit.relu), "another type than the weights'"


def test_networks_that_train_keep_their_batch_norm() -> None:
    net = GoogLeNet(variants.tiny(5, batch_norm=1e-3)).eval()
    x = image()
    with torch.inference_mode():
        wanted = net(x).clone()
        found = cpu_kernels.install(net)(x)
    assert {type(unit) for _, unit in net.conv_units()} == {ConvUnit}
    assert relative_norm(found, wanted) < 1e-5


@pytest.fixture
def forgetful() -> Iterator[None]:
    """What is known about this torch is asked again, before and after."""
    cpu_kernels.available.cache_clear()
    yield
    cpu_kernels.available.cache_clear()


def _refuses(*_: Any) -> torch.Tensor:
    raise RuntimeError("_convolution_pointwise() takes other arguments now")


def _forgets_relu(x: torch.Tensor, weight: torch.Tensor, *_: Any) -> torch.Tensor:
    return torch.full((1, weight.shape[0], *x.shape[2:]), -1.0)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    "operators",
    [
        {},
        {"_reorder_convolution_weight": lambda weight, *_: weight},
        {"_reorder_convolution_weight": lambda weight, *_: weight, "_convolution_pointwise": _refuses},
        {"_reorder_convolution_weight": lambda weight, *_: weight, "_convolution_pointwise": _forgets_relu},
    ],
    ids=["gone", "half gone", "other arguments", "other numbers"],
)
def test_without_torchs_private_operators_the_answers_are_the_same(
    operators: dict[str, Any], bundled_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = image(224)
    wanted = capture(build(bundled_checkpoint, "cpu"), x)
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(**operators))
    cpu_kernels.available.cache_clear()
    classifier = build(bundled_checkpoint, "cpu")
    assert not cpu_kernels.available()
    assert {type(unit) for _, unit in classifier.network.conv_units()} == {ConvUnit}
    found = capture(classifier, x)
    for head in wanted.heads.present:
        assert relative_norm(found.logits(head), wanted.logits(head)) < 1e-5
    assert relative_norm(found.block("4d").output, wanted.block("4d").output) < 1e-5


@pytest.mark.usefixtures("forgetful")
def test_without_torchs_private_dispatch_mode_nothing_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("torch.utils._python_dispatch._get_current_dispatch_mode")
    assert not cpu_kernels.available()
    net = network()
    with torch.inference_mode():
        assert torch.isfinite(net(image())).all()
