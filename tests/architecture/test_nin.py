"""Network in Network: its shapes and costs against torch's own counter, and its end against plain averages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from inception_model.architecture.labels import Label
from inception_model.architecture.nin import LARGEST_KERNEL, NetworkInNetwork, NinSpec, nin
from inception_model.architecture.weights import init_weights
from inception_model.checkpoints.checkpoint import CheckpointError
from inception_model.checkpoints.nin_file import TrainedNin, load_nin, save_nin
from inception_model.checkpoints.store import load
from inception_model.cost.nin import nin_cost, nin_layers
from inception_model.images.preprocessing import Preprocessing
from inception_model.studies.networks import nin_like
from tests.compare import assert_close


def counted(network: nn.Module, size: int) -> int:
    """Multiply-adds that torch's dispatcher counts."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size, device="meta"))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("size", [32, 45, 64, 224])
@pytest.mark.parametrize("ending", ["average", "connected", "connected, dropout"])
def test_torchs_counter_and_parameters_agree(size: int, ending: str) -> None:
    for spec in (nin(10, size), nin_like(10, size, 0.3, 1), nin_like(10, size, 0.3, 0)):
        spec = replace(spec, ending=ending)  # type: ignore[arg-type]
        with torch.device("meta"):
            network = NetworkInNetwork(spec).eval()
        cost = nin_cost(spec)
        assert counted(network, size) == cost.macs
        assert sum(p.numel() for p in network.parameters()) == cost.params_trained


def test_the_widths_are_the_authors_and_the_first_maps_are_32_positions_wide() -> None:
    convolutions = [(layer.kernel, layer.in_channels, layer.out_channels) for layer in nin_layers(nin(10, 32))]
    assert convolutions == [
        *((5, 3, 192), (1, 192, 160), (1, 160, 96)),
        *((5, 96, 192), (1, 192, 192), (1, 192, 192)),
        *((3, 192, 192), (1, 192, 192), (1, 192, 10)),
    ]
    assert nin(10, 32).sides == nin(200, 64).sides == (32, 16, 8)


@pytest.mark.parametrize("size", [45, 64, 96, 128, 224, 225, 300, 512])
def test_every_pixel_is_read(size: int) -> None:
    """The gradient of a network whose weights are all positive is nowhere zero; averages in the max pools' place, which
    let it through everywhere."""
    spec = nin(3, size)
    assert spec.layers[0].kernel <= LARGEST_KERNEL, "or its file can't be read"
    spec = replace(spec, layers=tuple(replace(each, widths=(2,)) for each in spec.layers), dropout=0.0)
    network = NetworkInNetwork(spec).eval()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.01)
    for place, module in enumerate(network.layers):
        if isinstance(module, nn.MaxPool2d):
            network.layers[place] = nn.AvgPool2d(3, 2, ceil_mode=True)
    x = torch.ones(1, 3, size, size, requires_grad=True)
    torch.autograd.backward(network(x).sum())
    assert x.grad is not None
    assert int((x.grad == 0).sum()) == 0


def test_images_up_to_64_pixels_are_taken_as_before() -> None:
    assert [(nin(3, size).layers[0].kernel, nin(3, size).layers[0].stride) for size in (32, 64)] == [(5, 1), (5, 2)]


def small(ending: str = "average") -> NinSpec:
    return replace(nin_like(4, 32, 0.05), ending=ending)  # type: ignore[arg-type]


def test_logits_are_the_averages_of_the_last_maps() -> None:
    network = init_weights(NetworkInNetwork(small()), 1).eval()
    x = torch.randn(2, 3, 32, 32)
    units = [unit for _, unit in network.conv_units()]
    maps: list[torch.Tensor] = []
    units[-1].register_forward_hook(lambda *found: maps.append(found[2]))
    logits = network.forward_heads(x).main
    assert maps[0].shape == (2, 4, 8, 8)
    assert_close(logits, torch.nn.functional.adaptive_avg_pool2d(maps[0], 1).flatten(1), 1e-6)
    assert [unit.conv.kernel_size[0] for unit in units] == [5, 1, 1, 5, 1, 1, 3, 1, 1]


def test_a_trained_one_is_kept_and_read_again_and_a_wrong_file_is_refused(tmp_path: Path) -> None:
    network = init_weights(NetworkInNetwork(small("connected")), 2).eval()
    labels = tuple(Label(index, f"n{index}", f"word {index}") for index in range(4))
    accuracy = {"main": {"top1": 0.5, "top5": 1.0}}
    kept, path = Preprocessing(size=32, resize=32), tmp_path / "nin.safetensors"
    save_nin(TrainedNin(network, kept, labels, accuracy, "made here"), path)
    found = load_nin(path)
    x = torch.randn(2, 3, 32, 32)
    assert_close(found.network(x), network(x), 2e-3)  # weights are kept in half precision
    assert (found.network.spec, found.labels, found.preprocessing) == (network.spec, labels, kept)
    assert (found.accuracy, found.source) == (accuracy, "made here")
    with pytest.raises(CheckpointError, match="holds a Network in Network"):
        load(path)
    bytes_ = path.read_bytes()
    path.write_bytes(bytes_.replace(b'"classes\\": 4', b'"classes\\": 5').replace(b'classes\\": 4', b'classes\\": 5'))
    with pytest.raises(CheckpointError, match="is expected"):
        load_nin(path)
    with pytest.raises(CheckpointError, match="no Network in Network"):
        load_nin(Path(__file__).resolve().parents[2] / "assets" / "checkpoints" / "tiny-imagenet.safetensors")
