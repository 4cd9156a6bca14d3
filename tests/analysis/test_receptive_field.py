"""Receptive fields: the reference table, and a gradient probe of the real network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from inception_model.analysis.receptive_field import (
    ReceptiveField,
    gradient_support,
    receptive_field,
    receptive_fields,
    support_box,
)
from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.spec import UNITS, NetworkSpec, PoolSpec
from inception_model.architecture.variants import chain_blocks, get_spec, tiny
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.images.geometry import Box
from inception_model.images.preprocessing import Preprocessing
from inception_model.inference.classifier import Classifier

# Module: jump, start centre, size after 1x1, 3x3 (and pool projection), 5x5 (and the module's output).
TABLE = {
    "3a": (8, 6, 27, 43, 59),
    "3b": (8, 6, 59, 75, 91),
    "4a": (16, 14, 107, 139, 171),
    "4b": (16, 14, 171, 203, 235),
    "4c": (16, 14, 235, 267, 299),
    "4d": (16, 14, 299, 331, 363),
    "4e": (16, 14, 363, 395, 427),
    "5a": (32, 30, 459, 523, 587),
    "5b": (32, 30, 587, 651, 715),
}


def probe_classifier(spec: NetworkSpec, *, averaging: bool) -> Classifier:
    """A network with positive weights: every path from input to unit carries gradient.

    A max pool passes only its winner on; with `averaging` each is replaced by an average over the same window, so that
    the gradient reaches every pixel that a unit can see.
    """
    torch.manual_seed(0)
    network = GoogLeNet(spec).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.abs_()
    if averaging:
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.MaxPool2d):
                    window = (child.kernel_size, child.stride, child.padding)
                    setattr(module, name, nn.AvgPool2d(*window, ceil_mode=child.ceil_mode))
    checkpoint = Checkpoint("probe", spec, Preprocessing(size=224), (), {}, ("main",), "random", "")
    return Classifier(checkpoint, network.double(), torch.device("cpu"), "float32")


class Float64(Classifier):
    """Probes in float64: positive weights over 22 layers leave float32's range."""

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64


def as_float64(classifier: Classifier) -> Classifier:
    return Float64(classifier.checkpoint, classifier.network, classifier.device, classifier.precision)


def small_torchvision() -> NetworkSpec:
    spec = tiny()
    return replace(
        spec,
        blocks=tuple(replace(block, five_kernel=3) for block in spec.blocks),
        pools=(("3b", PoolSpec()), ("4e", PoolSpec(2, 2))),
    )


def small_inception5h() -> NetworkSpec:
    spec = tiny()
    return replace(spec, stem=replace(spec.stem, conv1_padding=(2, 3)), aux=())


def test_the_reference_table() -> None:
    fields = receptive_fields(get_spec("paper"))
    stem = {name: fields[name] for name in ("conv1", "pool1", "conv2", "pool2")}
    assert [f.size for f in stem.values()] == [7, 11, 19, 27]
    assert [f.jump for f in stem.values()] == [2, 4, 4, 8]
    assert [f.start for f in stem.values()] == [0, 2, 2, 6]
    assert (fields["pool_3b"].size, fields["pool_4e"].size) == (107, 459)
    for module, (jump, start, one, three, five) in TABLE.items():
        wanted = {
            "input": one, "1x1": one, "3x3_reduce": one, "5x5_reduce": one,
            "3x3": three, "pool_proj": three, "5x5": five, "output": five,
        }  # fmt: skip
        for node, size in wanted.items():
            assert fields[f"{module}/{node}"] == ReceptiveField(size, jump, start)


def test_torchvisions_smaller_kernel_and_pool() -> None:
    spec = get_spec("torchvision")
    sizes = [receptive_field(spec, name).size for name in spec.module_names]
    assert sizes == [43, 59, 107, 139, 171, 203, 235, 315, 379]
    fields = receptive_fields(spec)
    assert (fields["pool_3b"].size, fields["pool_4e"].size) == (75, 251)
    assert receptive_field(get_spec("inception5h"), "3a", "pool") == ReceptiveField(43, 8, 7)


@pytest.mark.parametrize("spec", [tiny(), small_torchvision(), small_inception5h()], ids=["paper", "tv", "5h"])
def test_a_gradient_probe_fills_exactly_the_box(spec: NetworkSpec) -> None:
    classifier = as_float64(probe_classifier(spec, averaging=True))
    x = torch.rand(1, 3, 224, 224)
    for module in ("3a", "3b", "4a", "4d", "5a", "5b"):
        fields = receptive_fields(spec)
        for node in UNITS if module in ("3b", "5a") else ("5x5",):
            middle = {"3": 14, "4": 7, "5": 3}[module[0]]
            for row, column in ((middle, middle), (0, middle + 1)):
                support = gradient_support(classifier, x, module, node, 0, row, column)
                assert support.shape == (224, 224)
                box = fields[f"{module}/{node}"].box(row, column, 224)
                found = support_box(support)
                assert found == box
                inside = support[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
                assert bool((inside > 0).all())


def test_measured_support_of_the_real_pools_lies_in_the_box() -> None:
    spec = tiny()
    classifier = as_float64(probe_classifier(spec, averaging=False))
    x = torch.rand(1, 3, 224, 224)
    for module, node in (("3a", "3x3"), ("4a", "5x5"), ("4a", "pool")):
        box = receptive_field(spec, module, node).box(5, 6, 224)
        found = support_box(gradient_support(classifier, x, module, node, 0, 5, 6))
        assert found is not None
        assert box.left <= found.left < found.right <= box.right
        assert box.top <= found.top < found.bottom <= box.bottom


def test_pixels_outside_of_the_box_do_not_change_the_unit() -> None:
    """Not by gradient but by the forward pass: noise outside of the box leaves the unit's value as it is."""
    spec = tiny()
    classifier = as_float64(probe_classifier(spec, averaging=False))
    box = receptive_field(spec, "4a", "5x5").box(6, 7, 224)
    noise = torch.rand(1, 3, 224, 224)
    x = torch.zeros(1, 3, 224, 224)
    inside = (slice(None), slice(None), slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right)))
    x[inside] = noise[inside]
    values = []
    for image in (x, noise):
        for name, output in classifier.network.trunk(image.double()):
            if name == "4a":
                values.append(output[0, spec.block("4a").channels("5x5"), 6, 7])
                break
    assert torch.equal(*values)
    x[:, :, int(box.top), int(box.left)] += 1e6  # enough to win every max pool on its way
    for name, output in classifier.network.trunk(x.double()):
        if name == "4a":
            assert not torch.equal(output[0, spec.block("4a").channels("5x5"), 6, 7], values[0])
            break


def test_no_hook_is_left_behind_after_an_error() -> None:
    classifier = as_float64(probe_classifier(tiny(), averaging=False))
    x = torch.rand(1, 3, 224, 224)
    with pytest.raises(IndexError, match="28 x 28 positions"):
        gradient_support(classifier, x, "3a", "1x1", 0, 28, 0)
    with pytest.raises(KeyError, match="1x1, 3x3, 5x5, pool"):
        gradient_support(classifier, x, "3a", "7x7", 0, 0, 0)
    with pytest.raises(KeyError, match="3a, 3b"):
        gradient_support(classifier, x, "9z", "1x1", 0, 0, 0)
    assert all(not module._forward_hooks for module in classifier.network.modules())


def test_support_box_cuts_the_tails() -> None:
    values = torch.zeros(10, 10)
    values[2, 3] = values[7, 8] = 1.0
    values[4:6, 5:7] = 100.0
    assert support_box(values) == Box(3, 2, 9, 8)
    assert support_box(values, 0.95) == Box(5, 4, 7, 6)
    assert support_box(torch.zeros(4, 4)) is None
    with pytest.raises(ValueError, match="share"):
        support_box(values, 0.0)


def test_boxes_on_the_photo() -> None:
    field = receptive_field(get_spec("paper"), "4a", "1x1")
    assert field.centre(3) == 14 + 48
    assert field.box(3, 4) == Box(78 - 53, 62 - 53, 78 + 54, 62 + 54)
    assert field.box(0, 0, 224) == Box(0, 0, 14 + 54, 14 + 54)
    assert field.box(0, 0).width == 107
    chained = chain_blocks({"3a": (1, 1, 1, 1, 1, 1)}, 12)
    assert receptive_field(replace(tiny(), blocks=chained, pools=(), aux=()), "3a").size == 59
    with pytest.raises(KeyError, match="3a, 3b"):
        receptive_field(get_spec("paper"), "6a")
