"""The network against torchvision's, against formulas written out by hand, and against the reference counts."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import GoogLeNet as TorchvisionGoogLeNet

from inception_model.architecture.network import GoogLeNet, Heads
from inception_model.architecture.spec import BRANCHES, UNITS, NetworkSpec
from inception_model.architecture.variants import SPECS, get_spec, tiny
from inception_model.architecture.weights import fold_batch_norm, weight_sharing_twin
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.checkpoints.formats import read
from tests.random_networks import noise_images
from tests.weight_files import torchvision_network

Relative = Callable[[Tensor, Tensor], float]

# Weights and biases per row, 1000 classes, convolution bias, no batch norm.
PARAMETERS = {
    "conv1": 9_472,
    "conv2": 114_944,
    "3a": 163_696,
    "3b": 388_736,
    "4a": 376_176,
    "4b": 449_160,
    "4c": 510_104,
    "4d": 605_376,
    "4e": 868_352,
    "5a": 1_043_456,
    "5b": 1_444_080,
    "classifier": 1_025_000,
    "aux1": 3_188_840,
    "aux2": 3_190_888,
}


def randomised(network: GoogLeNet, seed: int = 0) -> GoogLeNet:
    """Random weights, and batch norm statistics that folding can't ignore."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if key.endswith("running_var") or key.endswith("bn.weight"):
                value.uniform_(0.4, 1.8, generator=generator)
            elif value.ndim >= 2:
                value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
            elif value.is_floating_point():
                value.normal_(0, 0.2, generator=generator)
    return network.eval()


def assert_images_matter(heads: Heads, relative: Relative) -> None:
    """Random weights can make a network deaf to its input; equal logits would then prove nothing."""
    for logits in heads:
        assert logits is not None
        assert relative(logits[:1], logits[1:]) > 1e-2


@pytest.fixture(scope="module")
def theirs() -> TorchvisionGoogLeNet:
    """torchvision's network, random."""
    return torchvision_network()


@pytest.fixture(scope="module")
def ours(theirs: TorchvisionGoogLeNet, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The same weights, saved by torch and read through FORMATS."""
    path = tmp_path_factory.mktemp("torchvision") / "googlenet.pth"
    torch.save(theirs.state_dict(), path)
    return read(path)


def test_all_three_heads_equal_torchvisions_in_eval_mode(
    theirs: TorchvisionGoogLeNet, ours: Checkpoint, relative: Relative
) -> None:
    x = noise_images(2)
    seen: dict[str, Tensor] = {}
    handles = [
        block.register_forward_hook(lambda module, inputs, output, name=name: seen.__setitem__(name, output))
        for name, block in (("4a", theirs.inception4a), ("4d", theirs.inception4d))
    ]
    with torch.no_grad():
        main = theirs(x)
        # In eval mode torchvision's heads are not run, so they are called on what they hang on.
        wanted = Heads(theirs.aux1(seen["4a"]), theirs.aux2(seen["4d"]), main)
        networks = {"folded": ours.network(), "unfolded": ours.trainable().eval()}
        found = {name: network.forward_heads(x) for name, network in networks.items()}
    for handle in handles:
        handle.remove()
    for name, heads in found.items():
        for head in ("aux1", "aux2", "main"):
            assert relative(getattr(heads, head), getattr(wanted, head)) < 1e-5, f"{head}, {name}"
    assert_images_matter(wanted, relative)


def test_all_three_heads_equal_torchvisions_in_training_mode(
    theirs: TorchvisionGoogLeNet, ours: Checkpoint, relative: Relative
) -> None:
    x = noise_images(2, seed=1)
    one, other = copy.deepcopy(theirs).train(), ours.trainable().train()
    for module in (*one.modules(), *other.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        wanted, found = one(x), other.forward_heads(x)
    assert relative(found.main, wanted.logits) < 1e-5
    assert relative(found.aux1, wanted.aux_logits1) < 1e-5
    assert relative(found.aux2, wanted.aux_logits2) < 1e-5
    statistics = other.block("5b").unit("5x5").bn
    assert statistics is not None
    assert relative(statistics.running_var, one.inception5b.branch3[1].bn.running_var) < 1e-5


@pytest.mark.parametrize("spec", [get_spec("batchnorm", 20), get_spec("torchvision", 20), tiny(batch_norm=1e-3)])
def test_folding_changes_no_logit(spec: NetworkSpec, relative: Relative) -> None:
    network = randomised(GoogLeNet(spec))
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    x = noise_images(2)
    with torch.no_grad():
        wanted, found = network.forward_heads(x), folded.forward_heads(x)
    for head in spec.heads:
        assert relative(getattr(found, head), getattr(wanted, head)) < 1e-5
    assert_images_matter(wanted, relative)


def test_the_parameters_of_every_row_are_the_papers() -> None:
    with torch.device("meta"):
        network = GoogLeNet(get_spec("paper"))
    rows = dict.fromkeys(PARAMETERS, 0)
    for name, value in network.named_parameters():
        rows[name.split(".")[0].removesuffix("_reduce")] += value.numel()
    assert rows == PARAMETERS
    assert sum(rows.values()) == 13_378_280


@pytest.mark.parametrize(
    ("name", "classes", "trunk", "everything"),
    [
        ("paper", 1000, 6_998_552, 13_378_280),
        ("torchvision", 1000, 6_624_904, 13_004_888),
        ("inception5h", 1008, 7_066_380, 7_066_380),
    ],
)
def test_the_parameters_of_every_variant_are_the_published_ones(
    name: str, classes: int, trunk: int, everything: int
) -> None:
    with torch.device("meta"):
        network = GoogLeNet(get_spec(name, classes))
    counts = {key: value.numel() for key, value in network.named_parameters()}
    assert sum(count for key, count in counts.items() if not key.startswith("aux")) == trunk
    assert sum(counts.values()) == everything


@pytest.mark.parametrize("name", SPECS)
def test_the_trunk_has_57_convolutions_with_a_relu_each(name: str) -> None:
    with torch.device("meta"):
        network = GoogLeNet(get_spec(name))
    trunk = [unit for key, unit in network.conv_units() if not key.startswith("aux")]
    assert len(trunk) == 57
    assert sum(isinstance(module, nn.Conv2d) for unit in trunk for module in unit.modules()) == 57
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    assert len(relus) == 57 + 2 * len(network.spec.aux)
    assert not any(relu.inplace for relu in relus)


def test_state_keys_are_the_papers_names() -> None:
    keys = {"classifier.weight", "classifier.bias"}
    convolutions = ["conv1", "conv2_reduce", "conv2", "aux1.conv", "aux2.conv"]
    convolutions += [f"{module}.{unit}" for module in PARAMETERS if module[0] in "345" for unit in UNITS]
    keys |= {f"{name}.conv.{kind}" for name in convolutions for kind in ("weight", "bias")}
    keys |= {f"{a}.{b}.{c}" for a in ("aux1", "aux2") for b in ("fc", "classifier") for c in ("weight", "bias")}
    assert set(GoogLeNet(get_spec("paper")).state_dict()) == keys


def test_torchvisions_file_has_364_tensors_and_all_are_used(theirs: TorchvisionGoogLeNet, ours: Checkpoint) -> None:
    state = theirs.state_dict()
    assert len(state) == len(ours.state) == 364
    counters = [key for key in state if key.endswith("num_batches_tracked")]
    wanted = sorted(value.double().sum().item() for key, value in state.items() if key not in counters)
    found = sorted(v.double().sum().item() for k, v in ours.state.items() if not k.endswith("num_batches_tracked"))
    assert found == wanted


def lrn_by_hand(x: Tensor, radius: int, bias: float, alpha: float, beta: float) -> Tensor:
    """TensorFlow's definition: x / (bias + alpha * sum of squares over 2 radius + 1 channels) ** beta."""
    squares = x.double().numpy() ** 2
    sums = np.zeros_like(squares)
    for channel in range(x.shape[1]):
        sums[:, channel] = squares[:, max(0, channel - radius) : channel + radius + 1].sum(1)
    return torch.from_numpy(x.double().numpy() / (bias + alpha * sums) ** beta)


def test_local_response_norm_is_tensorflows_in_inception5h(relative: Relative) -> None:
    x = 30 * torch.randn(1, 64, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        network = GoogLeNet(get_spec("inception5h"))
    for layer in (network.lrn1, network.lrn2):
        assert relative(layer(x), lrn_by_hand(x, radius=5, bias=2.0, alpha=1e-4, beta=0.5)) < 1e-6


def test_local_response_norm_is_caffes_in_the_papers_network(relative: Relative) -> None:
    x = 30 * torch.randn(1, 64, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"):
        network = GoogLeNet(get_spec("paper"))
    # Caffe divides alpha by the number of channels that it sums over.
    assert relative(network.lrn1(x), lrn_by_hand(x, radius=2, bias=1.0, alpha=1e-4 / 5, beta=0.75)) < 1e-6


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME: zeros before and after so that ceil(size / stride) positions come out."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("size", [224, 96])
def test_inception5h_pads_as_tensorflow_does(size: int, relative: Relative) -> None:
    network = randomised(GoogLeNet(get_spec("inception5h", 10)))
    conv1 = network.get_submodule("conv1")
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    before, after = same_padding(size, 7, 2)
    assert (before, after) == (2, 3)
    columns = F.unfold(F.pad(x, (before, after, before, after)), 7, stride=2)[0]
    weight, bias = conv1.conv.weight.flatten(1), conv1.conv.bias[:, None]
    wanted = (weight @ columns + bias).relu().view(1, 64, -(-size // 2), -(-size // 2))
    with torch.no_grad():
        assert relative(conv1(x), wanted) < 1e-5
    before, after = same_padding(size // 2, 3, 2)
    padded = F.pad(wanted, (before, after, before, after), value=-torch.inf)
    assert torch.equal(network.pool1(wanted), padded.unfold(2, 3, 2).unfold(3, 3, 2).amax((-1, -2)))


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    network = GoogLeNet(tiny())
    with pytest.raises(KeyError, match="unknown module '6a'; allowed: 3a, 3b"):
        network.block("6a")
    with pytest.raises(KeyError, match="has no head 'aux3'; it has: aux1, aux2, main"):
        network.aux_head("aux3")
    with torch.device("meta"):
        headless = GoogLeNet(get_spec("inception5h"))
    with pytest.raises(KeyError, match="has no head 'aux1'; it has: main"):
        headless.head_logits(torch.zeros(1, 3, 224, 224, device="meta"), "aux1")
    with pytest.raises(KeyError, match="unknown network 'vgg'"):
        get_spec("vgg")


def test_the_papers_aux_pool_needs_224_pixels_and_says_so() -> None:
    spec = replace(tiny(), aux=tuple(replace(aux, pool="avg5x3") for aux in tiny().aux))
    network = GoogLeNet(spec).eval()
    with pytest.raises(ValueError, match=r"aux1 needs a 4x4 map .* 224x224 images only"):
        network.forward_heads(noise_images(1)[..., :128, :128])


def test_a_head_alone_equals_the_head_among_all(relative: Relative) -> None:
    network, x = randomised(GoogLeNet(tiny())), noise_images(2)
    with torch.no_grad():
        heads = network.forward_heads(x)
        for head in ("aux1", "aux2", "main"):
            assert relative(network.head_logits(x, head), getattr(heads, head)) < 1e-6
        assert relative(network(x), heads.main) < 1e-6


def test_a_twin_shares_weights_but_no_hooks() -> None:
    network = randomised(GoogLeNet(tiny()))
    twin = weight_sharing_twin(network)
    pairs = list(zip(network.parameters(), twin.parameters(), strict=True))
    assert all(one.data_ptr() == other.data_ptr() for one, other in pairs)
    assert all(one is not other for one, other in zip(network.modules(), twin.modules(), strict=True))
    calls: list[str] = []
    handle = twin.block("4a").register_forward_hook(lambda *_: calls.append("twin"))
    with torch.no_grad():
        network(noise_images(1))
        assert calls == []
        twin(noise_images(1))
    handle.remove()
    assert calls == ["twin"]


class Changing(OrderedDict[int, object]):
    """Hooks that another thread adds and removes whenever somebody walks through them."""

    def __iter__(self) -> Iterator[int]:
        raise RuntimeError("dictionary changed size during iteration")

    items = values = keys = __iter__  # type: ignore[assignment]
    __reduce_ex__ = __iter__  # type: ignore[assignment]


def test_a_twin_can_be_made_while_others_hook_the_network() -> None:
    network = randomised(GoogLeNet(tiny()))
    network.block("4a")._forward_hooks = Changing()  # type: ignore[assignment]
    network.block("4b").register_forward_pre_hook(lambda *_: None)
    twin = weight_sharing_twin(network)
    assert not twin.block("4b")._forward_pre_hooks
    assert twin.block("4a")._forward_hooks is not network.block("4a")._forward_hooks


def test_modules_concatenate_their_branches_in_the_papers_order(relative: Relative) -> None:
    block = randomised(GoogLeNet(tiny())).block("4c")
    x = torch.rand(1, block.spec.in_channels, 14, 14, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        whole, parts = block(x), block.branches(x)
    for kind in BRANCHES:
        assert torch.equal(whole[:, block.spec.channels(kind)], parts[kind])


def test_batch_norm_counters_are_not_needed_in_a_file(ours: Checkpoint, tmp_path: Path, relative: Relative) -> None:
    bare = {k: v for k, v in torchvision_network().state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(bare, tmp_path / "bare.pth")
    found = read(tmp_path / "bare.pth").state
    assert found.keys() == ours.state.keys()
    assert relative(found["5b.5x5.conv.weight"], ours.state["5b.5x5.conv.weight"]) == 0
