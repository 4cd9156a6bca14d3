"""One number computed again, against the network's own convolutions as torch runs them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from inception_model.analysis.computation import computation, folded, position_cost
from inception_model.architecture.address import output_origin
from inception_model.architecture.network import ConvUnit
from inception_model.architecture.spec import BRANCHES, UNITS
from inception_model.architecture.variants import get_spec
from inception_model.cost.layers import map_sides, trunk_layers
from inception_model.inference.classifier import Classifier, build
from inception_model.inference.trace import Trace, capture, forward_hooks
from tests.compare import assert_close
from tests.random_networks import noise_images

MODULES = ("3a", "4d", "5b")

_asked: dict[int, tuple[Trace, dict[str, Tensor]]] = {}


@pytest.fixture(params=["tiny_classifier", "bundled_classifier"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Classifier)
    return found


def seen(classifier: Classifier, images: Tensor | None = None) -> tuple[Trace, dict[str, Tensor]]:
    """A trace, and the outputs of its convolutions before their ReLUs, by hooks on the convolutions themselves."""
    if images is None and id(classifier) in _asked:
        return _asked[id(classifier)]
    before: dict[str, Tensor] = {}
    network = classifier.network
    convolutions = {f"{name}/{unit}": network.block(name).unit(unit).conv for name in MODULES for unit in UNITS}

    def keep(name: str, _: Tensor, output: Tensor) -> None:
        before[name] = output.float()

    with forward_hooks(convolutions, keep):
        trace = capture(classifier, noise_images(1) if images is None else images)
    if images is None:
        _asked[id(classifier)] = trace, before
    return trace, before


def places(found: Tensor) -> list[tuple[int, int, int]]:
    """Channels and positions of a map (C, H, W): the corners, an edge, the middle, and the strongest number."""
    channels, rows, columns = found.shape
    strongest = int(found.argmax())
    channel, rest = divmod(strongest, rows * columns)
    return [
        (0, 0, 0), (channels - 1, rows - 1, columns - 1), (channels // 2, 0, columns // 2),
        (channels - 1, rows // 2, columns // 2), (channel, *divmod(rest, columns)),
    ]  # fmt: skip


@pytest.mark.parametrize("node", UNITS)
@pytest.mark.parametrize("module", MODULES)
def test_the_number_is_the_network_s(classifier: Classifier, module: str, node: str) -> None:
    trace, before = seen(classifier)
    block = trace.block(module)
    found, scale = block.node(node)[0], float(block.node(node).abs().max())
    for channel, row, column in places(found):
        made = computation(classifier, block, node, channel, row, column)
        assert made.shown == float(found[channel, row, column])
        assert_close(made.last.result, made.shown, 1e-5, scale=scale)
        size = float(made.last.products.abs().sum()) + abs(made.last.bias)
        assert_close(made.last.pre_activation, before[f"{module}/{node}"][0, channel, row, column], 1e-5, scale=size)
        all_of_them = made.last.largest(made.last.products.numel())
        assert_close(
            sum(each.product for each in all_of_them) + made.last.bias, made.last.pre_activation, 1e-12, scale=size
        )
        sizes = [abs(each.product) for each in all_of_them]
        assert sizes == sorted(sizes, reverse=True)
        read = _read(block.node("input")[0] if node not in ("3x3", "5x5") else block.node(f"{node}_reduce")[0], node)
        for each in all_of_them[:20]:
            assert_close(each.value, read[each.channel, each.row, each.column], 1e-5, scale=float(read.max()))


def _read(x: Tensor, node: str) -> Tensor:
    """What the convolution reads: its map, and before the projection the pooled one."""
    return functional.max_pool2d(x[None], 3, 1, padding=1)[0] if node == "pool_proj" else x


@pytest.mark.parametrize("node", ["3x3", "5x5"])
def test_what_was_reduced_is_the_trace_s(classifier: Classifier, node: str) -> None:
    block = seen(classifier)[0].block("4d")
    reduced, followed = block.node(f"{node}_reduce")[0], 0
    for channel, row, column in places(block.node(node)[0]):
        made = computation(classifier, block, node, channel, row, column)
        reach = made.last.inputs.shape[-1] // 2
        window = functional.pad(reduced, (reach,) * 4)[:, row : row + 2 * reach + 1, column : column + 2 * reach + 1]
        assert_close(made.last.inputs, window)
        assert made.reduced is not None
        assert made.reduction is not None
        inside = made.last.inside
        assert inside.equal(functional.pad(torch.ones(reduced.shape[1:]), (reach,) * 4)[
            row : row + 2 * reach + 1, column : column + 2 * reach + 1
        ].bool())  # fmt: skip
        assert_close(made.reduced.clamp_min(0)[:, inside], window[:, inside])
        one = made.reduction
        assert one.node == f"{node}_reduce"
        if not window.any():
            assert (one.channel, one.row, one.column) == (0, row, column)
            continue
        best = made.last.largest(1)[0]
        assert (one.channel, one.row, one.column) == (best.channel, best.row, best.column)
        assert one.result == pytest.approx(best.value)
        followed += 1
    assert followed or not reduced.any()


def test_the_pool_s_numbers_are_where_they_were_found(classifier: Classifier) -> None:
    block = seen(classifier)[0].block("4d")
    x = block.input[0]
    for row, column in ((0, 0), (5, 6), (13, 13)):
        made = computation(classifier, block, "pool_proj", 1, row, column)
        assert made.pooled_from is not None
        rows, columns = made.pooled_from.T
        assert ((rows - row).abs() <= 1).all()
        assert ((columns - column).abs() <= 1).all()
        assert_close(x[torch.arange(len(x)), rows, columns], made.last.inputs.flatten(), 0.0)


def test_a_network_with_batch_norm(tiny_classifier: Classifier) -> None:
    torch.manual_seed(2)
    unit = ConvUnit(5, 4, 3, batch_norm=1e-3).eval()
    assert unit.bn is not None
    for tensor in (unit.bn.weight, unit.bn.bias, unit.bn.running_mean, unit.bn.running_var):
        tensor.data.uniform_(0.2, 2.0)
    weight, bias = folded(unit)
    x = torch.randn(2, 5, 6, 6)
    assert_close(functional.conv2d(x.double(), weight, bias, padding=1).relu(), unit(x))


@pytest.mark.parametrize("precision", ["bfloat16"])
def test_a_network_of_few_digits_is_computed_with_its_own_weights(tiny_classifier: Classifier, precision: str) -> None:
    rough = build(tiny_classifier.checkpoint, "cpu", precision)
    block = capture(rough, noise_images(1)).block("4d")
    made = computation(rough, block, "5x5", 0, 3, 3)
    assert made.last.weights.equal(rough.network.block("4d").unit("5x5").conv.weight[0].double())
    assert_close(made.last.result, made.shown, 2e-2, scale=float(block.node("5x5").max()))


@pytest.mark.parametrize("node", UNITS)
def test_of_nothing_comes_the_bias(tiny_classifier: Classifier, node: str) -> None:
    """A module whose input is zero everywhere, without biases in its reductions."""
    trace, _ = seen(tiny_classifier)
    block = trace.block("4d")
    silent = type(block)(block.name, torch.zeros_like(block.input), block.branches, block.output)
    made = computation(tiny_classifier, silent, node, 1, 0, 3)
    bias = float(tiny_classifier.network.block("4d").unit(node).conv.bias[1])  # type: ignore[index]
    if node in ("3x3", "5x5"):
        assert made.reduction is not None
        assert made.reduction.largest(5) == ()
        assert made.reduction.pre_activation == made.reduction.bias
        return
    assert made.last.largest(5) == ()
    assert made.last.pre_activation == pytest.approx(bias)
    assert made.last.result == pytest.approx(max(bias, 0.0))


@pytest.mark.parametrize("name", ["tiny", "paper", "torchvision"])
def test_the_price_at_a_position_times_the_positions_is_the_layers(name: str) -> None:
    spec = get_spec(name)
    sides = map_sides(spec, 224)
    real, naive = (trunk_layers(spec, spec.blocks, sides, kind) for kind in (None, "same-outputs"))
    for block in spec.blocks:
        for kind in BRANCHES:
            cost, area = position_cost(block, kind), sides[block.name] ** 2
            found = [
                sum(part.macs for part in layers if (part.row, part.branch) == (block.name, kind))
                for layers in (real, naive)
            ]
            assert found == [cost.total * area, (cost.without or cost.total) * area]
            assert (cost.without is None) == (kind in ("1x1", "pool"))


def test_channels_of_a_concatenation_by_the_branch_that_made_them(tiny_classifier: Classifier) -> None:
    block = seen(tiny_classifier)[0].block("4c")
    for channel in range(block.output.shape[1]):
        part = output_origin(tiny_classifier.network.spec, "4c", channel)
        assert part.branch is not None
        assert part.channel is not None
        assert block.branches[part.branch].output[0, part.channel].equal(block.output[0, channel])


def test_what_is_not_there_is_named(tiny_classifier: Classifier) -> None:
    block = seen(tiny_classifier)[0].block("4d")
    with pytest.raises(KeyError, match="'output' is no convolution of a module; allowed: 1x1, 3x3_reduce"):
        computation(tiny_classifier, block, "output", 0, 0, 0)
    with pytest.raises(IndexError, match="no row 14 in 4d 5x5; allowed: 0 to 13"):
        computation(tiny_classifier, block, "5x5", 0, 14, 0)
    with pytest.raises(IndexError, match="no column -1"):
        computation(tiny_classifier, block, "5x5", 0, 0, -1)
