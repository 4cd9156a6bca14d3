"""Effective kernels against torch: the two convolutions run one after the other without the ReLU between them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from inception_model.architecture.address import UnitAddress, parse_unit
from inception_model.architecture.network import ConvUnit, GoogLeNet
from inception_model.architecture.spec import STEM_UNITS, UNITS
from inception_model.architecture.variants import tiny
from inception_model.circuits.connections import circuit, effective_kernel, unit_of
from inception_model.circuits.pictures import kernel_picture, name_of, scale_of, sheet
from inception_model.cli import circuit as command
from inception_model.cli import main
from inception_model.inference.classifier import Classifier
from tests.compare import assert_close


@pytest.fixture(scope="module")
def normalised() -> GoogLeNet:
    """A network whose batch norm has statistics of its own, in float64: nothing folds to one by accident."""
    torch.manual_seed(5)
    network = GoogLeNet(tiny(batch_norm=1e-3)).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5), (module.running_var, 0.5, 2.0), (module.weight, -1.5, 1.5),
                (module.bias, -0.5, 0.5),
            ):  # fmt: skip
                assert tensor is not None
                nn.init.uniform_(tensor, low, high)
    return network


def linear(*units: ConvUnit) -> nn.Sequential:
    """The convolutions one after the other with their batch norm, without a ReLU."""
    parts = [part for unit in units for part in (unit.conv, unit.bn or nn.Identity())]
    return nn.Sequential(*parts)


def chain(network: GoogLeNet, unit: UnitAddress) -> nn.Sequential:
    """What stands between a channel and those that it reads, by the names of the network's modules."""
    parts = dict(network.conv_units())
    names = [f"{unit.node}_reduce", unit.node] if f"{unit.node}_reduce" in parts else [unit.node]
    return linear(*(parts[name] for name in names))


@pytest.mark.parametrize("module", [None, "3a", "4d", "5b"])
def test_the_expansion_is_the_two_convolutions_without_the_relu(normalised: GoogLeNet, module: str | None) -> None:
    for conv in STEM_UNITS if module is None else UNITS:
        unit = UnitAddress(module, conv, 1 if conv != "5x5_reduce" else 0)
        kernels, bias, through = effective_kernel(normalised, unit)
        assert (through is not None) == (conv in ("3x3", "5x5", "conv2"))
        x = torch.randn(1, len(kernels), 9, 9, dtype=torch.float64)
        steps = chain(normalised, unit)
        with torch.no_grad():
            wanted = steps(x)[:, unit.channel]
        stride, reach = steps[-2].stride[0], kernels.shape[-1] // 2  # type: ignore[index]
        found = nn.functional.conv2d(x, kernels[None], stride=stride, padding=reach)[:, 0] + bias
        # Beyond the border the network pads behind the reduction, where its bias is missing: compared is the inside.
        inside = slice(reach, -reach or None)
        assert_close(found[:, inside, inside], wanted[:, inside, inside], 1e-9)
        assert bias != 0


def delta(network: GoogLeNet, module: str, conv: str, place: int) -> Tensor:
    """The answers (Cout, 7, 7) of a branch without ReLUs to one point of one channel, less those to nothing."""
    block = network.block(module)
    steps = chain(network, UnitAddress(module, conv, 0))
    x = torch.zeros(1, block.spec.in_channels, 7, 7, dtype=next(network.parameters()).dtype)
    with torch.no_grad():
        nothing = steps(x)
        x[0, place, 3, 3] = 1
        return (steps(x) - nothing)[0]


def test_readers_are_what_answers_to_one_point(tiny_classifier: Classifier) -> None:
    network, spec = tiny_classifier.network, tiny_classifier.checkpoint.spec
    unit = parse_unit("4a:5x5:2", spec)
    readers = circuit(tiny_classifier, unit).read_by
    place = spec.block("4a").channels("5x5").start + 2
    block = spec.block("4b")
    assert len(readers) == block.out_channels
    for conv, width in (("1x1", block.one), ("3x3", block.three), ("5x5", block.five), ("pool_proj", block.pool_proj)):
        answers = delta(network, "4b", conv, place)
        for channel in range(width):
            (one,) = [each for each in readers if each.unit == UnitAddress("4b", conv, channel)]
            reach = one.kernel.shape[-1] // 2
            window = answers[channel, 3 - reach : 4 + reach, 3 - reach : 4 + reach]
            assert_close(window.flip(0, 1), one.kernel, 1e-5)
    assert [each.strength for each in readers] == sorted((each.strength for each in readers), reverse=True)


@pytest.mark.parametrize("text", ["conv1:2", "conv2_reduce:1", "conv2:5", "3a:3x3_reduce:2", "3b:pool:1", "5b:1x1:3"])
def test_both_ends_of_a_connection_say_the_same(tiny_classifier: Classifier, text: str) -> None:
    """Whoever reads a channel says of it what it says of them; classes say what their logits gain."""
    spec = tiny_classifier.checkpoint.spec
    unit = parse_unit(text, spec)
    found = circuit(tiny_classifier, unit)
    best = found.read_by[0]
    if best.unit.conv == "main":
        features = torch.zeros(1, spec.blocks[-1].out_channels, 7, 7)
        features[:, 3] = 1
        with torch.no_grad():
            gained = tiny_classifier.network.classify(features) - tiny_classifier.network.classify(features * 0)
        assert_close([each.total for each in found.read_by], sorted(gained[0].tolist(), key=lambda one: -abs(one)))
        return
    if unit.conv.endswith("_reduce"):  # a channel says of its reduction what the module's input gets through it
        weight = dict(tiny_classifier.network.conv_units())[best.unit.node].conv.weight
        assert_close(best.kernel, weight[best.unit.channel, unit.channel], 1e-9)
        return
    back = circuit(tiny_classifier, best.unit)
    (again,) = [each for each in back.reads if each.unit == unit]
    assert_close(again.kernel, best.kernel, 1e-9)
    assert again.total == pytest.approx(float(best.kernel.sum()))


@pytest.mark.parametrize(
    ("text", "node"),
    [("4d:5x5:1", "4d.5x5"), (" 4d:pool:0", "4d.pool_proj"), ("4d:pool_proj:0", "4d.pool_proj"), ("conv2:11", "conv2")],
)
def test_units_are_read(text: str, node: str) -> None:
    unit = parse_unit(text, tiny())
    assert unit.node == node
    assert unit == parse_unit(str(unit), tiny())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "modules 3a, 3b, 4a"), ("9z:5x5:1", "conv1, conv2_reduce, conv2 before them"), ("4d", "4d:3x3_reduce"),
        ("4d:7x7:1", "4d:3x3_reduce"), ("4d:5x5", "channels 0 to 3"), ("4d:5x5:4", "channels 0 to 3"),
        ("4d:5x5:-1", "channels 0 to 3"), ("4d:5x5:²", "channels 0 to 3"), ("4d:5x5:1:2", "channels 0 to 3"),
        ("conv2:99", "channels 0 to 11"), ("conv2", "as in conv2:11"),
    ],
)  # fmt: skip
def test_unknown_units_are_told_what_exists(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_unit(text, tiny())


def test_pictures_are_red_for_and_blue_against(tiny_classifier: Classifier) -> None:
    spec = tiny_classifier.checkpoint.spec
    found = circuit(tiny_classifier, parse_unit("4d:5x5:1", spec))
    one, scale = found.reads[0], scale_of(found.reads)
    pixels = np.asarray(kernel_picture(one, scale), float)
    assert pixels.shape == (5, 5, 3)
    redder = pixels[..., 0] - pixels[..., 2]
    strong = np.abs(np.asarray(one.kernel)) > 0.1 * scale
    assert (np.sign(redder) == np.sign(np.asarray(one.kernel)))[strong].all()
    assert strong.any()
    assert sheet(tiny_classifier.checkpoint, found, 3).width > 300
    assert name_of(tiny_classifier.checkpoint, UnitAddress(None, "image", 2)) == "blue of the image"
    assert name_of(tiny_classifier.checkpoint, UnitAddress(None, "main", 3)) == "thing 3"
    place = spec.block("4c").channels("pool").start
    assert name_of(tiny_classifier.checkpoint, unit_of(spec, "4c", place)) == "4c pool 0"


def test_the_command_says_both_sides(
    tiny_classifier: Classifier, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "classifier_from", lambda args: tiny_classifier)
    out = tmp_path / "new" / "sheet.png"
    asked = ["circuit", "5b:5x5:3", "--count", "3"]
    assert main([*asked, "--json", "--out", str(out)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["unit"] == "5b:5x5:3"
    assert (answer["reads_in_all"], answer["read_by_in_all"]) == (52, 7)
    assert [np.shape(each["kernel"]) for each in answer["reads"]] == [(5, 5)] * 3
    assert "without the ReLU" in answer["between"]
    with Image.open(out) as image:
        assert image.height > 200
    assert main(asked) == 0
    assert f"thing {answer['read_by'][0]['unit'].partition(':')[2]}" in capsys.readouterr().out
    assert main(["circuit", "5b:5x5:999"]) == 2
    assert "channels 0 to 7" in capsys.readouterr().err
    assert main([*asked, "--out", "a.jpg"]) == 2
    assert ".png" in capsys.readouterr().err
