"""The architecture as data, against torchvision's modules and the paper's Table 1."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.spec import BRANCHES, UNITS
from inception_model.architecture.variants import SPECS, get_spec
from inception_model.cost.paper_figures import PRINTED


def torchvision_widths() -> dict[str, tuple[int, ...]]:
    """(input, six widths) of each module as torchvision builds it."""
    with torch.device("meta"):
        reference = torchvision.models.googlenet(weights=None, init_weights=False)
    widths = {}
    for name, module in reference.named_children():
        if name.startswith("inception"):
            convs = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
            widths[name.removeprefix("inception")] = (convs[0].in_channels, *(c.out_channels for c in convs))
    return widths


@pytest.mark.parametrize("name", ["paper", "batchnorm", "torchvision"])
def test_the_widths_of_table_1_are_torchvisions(name: str) -> None:
    ours = {
        b.name: (b.in_channels, b.one, b.three_reduce, b.three, b.five_reduce, b.five, b.pool_proj)
        for b in get_spec(name).blocks
    }
    assert ours == torchvision_widths()


def test_outputs_have_the_channels_that_the_paper_prints() -> None:
    for block in get_spec("paper").blocks:
        assert block.out_channels == PRINTED[block.name].channels
    stem = get_spec("paper").stem
    assert (stem.conv1, stem.conv2) == (PRINTED["conv1"].channels, PRINTED["conv2"].channels)


@pytest.mark.parametrize("name", SPECS)
def test_branches_lie_side_by_side_and_modules_chain(name: str) -> None:
    spec = get_spec(name)
    channels = spec.stem.conv2
    for block in spec.blocks:
        assert block.in_channels == channels
        positions = [i for kind in BRANCHES for i in range(*block.channels(kind).indices(10_000))]
        assert positions == list(range(block.out_channels))
        channels = block.out_channels


def test_inception5h_differs_from_the_paper_in_two_widths() -> None:
    paper, release = get_spec("paper"), get_spec("inception5h")
    assert (paper.block("4a").three, release.block("4a").three) == (208, 204)
    assert (paper.block("5a").five_reduce, release.block("5a").five_reduce) == (32, 48)
    assert release.block("4b").in_channels == 508
    assert release.heads == ("main",)
    assert release.classes == 1008


def test_the_trunk_has_57_convolutions_with_a_relu_each() -> None:
    with torch.device("meta"):
        network = GoogLeNet(get_spec("paper"))
    trunk = [name for name, _ in network.conv_units() if not name.startswith("aux")]
    assert len(trunk) == 57 == 3 + 9 * len(UNITS)
    relus = [m for m in network.modules() if isinstance(m, nn.ReLU)]
    assert len(relus) == 57 + 2 * 2
    assert not any(relu.inplace for relu in relus)


def test_folding_changes_nothing_else() -> None:
    spec = get_spec("batchnorm")
    assert spec.folded().batch_norm is None
    assert spec.folded().blocks == spec.blocks


def test_unknown_names_list_the_allowed_ones() -> None:
    with pytest.raises(KeyError, match="batchnorm"):
        get_spec("resnet")
    with pytest.raises(KeyError, match="3a, 3b, 4a"):
        get_spec("paper").block("6a")
    with pytest.raises(ValueError, match="1x1, 3x3, 5x5, pool"):
        get_spec("paper").block("3a").channels("7x7")  # type: ignore[arg-type]
