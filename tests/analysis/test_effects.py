"""Pushes against the exact share of a logit at 5b and against finite differences elsewhere."""

from __future__ import annotations

import pytest
import torch

from inception_model.analysis.channel_effects import channel_effects, strongest_readers
from inception_model.architecture.address import reaches
from inception_model.architecture.variants import tiny
from inception_model.inference.classifier import Classifier
from inception_model.inference.trace import NODES, capture
from tests.compare import assert_close


@pytest.fixture(scope="module")
def classifier(tiny_classifier: Classifier) -> Classifier:
    return tiny_classifier


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def test_at_the_last_module_the_pushes_and_the_bias_are_the_logit(classifier: Classifier, x: torch.Tensor) -> None:
    trace = capture(classifier, x)
    effects = channel_effects(classifier, trace.block("5b"), "main", [3, 0])
    assert effects.exact
    sums = effects.values["output"].sum(dim=1) + classifier.network.classifier.bias[[3, 0]]
    assert_close(sums, trace.logits("main")[0, [3, 0]], scale=float(effects.values["output"].abs().sum(1).max()))
    branches = torch.cat([effects.values[name] for name in ("1x1", "3x3", "5x5", "pool_proj")], dim=1)
    assert_close(branches, effects.values["output"])


def test_elsewhere_a_push_is_the_slope_of_the_logit(classifier: Classifier, x: torch.Tensor) -> None:
    block = capture(classifier, x).block("4c")
    effects = channel_effects(classifier, block, "aux2", [5])
    assert not effects.exact
    assert {name: values.shape[1] for name, values in effects.values.items()} == {
        name: block.node(name).shape[1] for name in NODES
    }
    channel = int(effects.values["output"][0].abs().argmax())
    network = classifier.network

    def logit(factor: float) -> float:
        scaled = block.output.clone()
        scaled[:, channel] *= factor
        return float(network.heads_from(network.trunk(scaled, resume="4c")).aux2[0, 5].double())

    slope = (logit(1.001) - logit(0.999)) / 0.002
    assert slope == pytest.approx(float(effects.values["output"][0, channel]), rel=0.05)


def test_heads_are_pushed_only_from_before_them(classifier: Classifier, x: torch.Tensor) -> None:
    spec = tiny()
    assert [m for m in spec.module_names if reaches(spec, m, "aux1")] == ["3a", "3b", "4a"]
    assert reaches(spec, "4d", "aux2")
    assert not reaches(spec, "4e", "aux2")
    assert reaches(spec, "5b", "main")
    with pytest.raises(ValueError, match="aux1 hangs before 5a"):
        channel_effects(classifier, capture(classifier, x).block("5a"), "aux1", [0])


@pytest.mark.parametrize(
    ("module", "node", "unit"),
    [("4a", "3x3", "4b "), ("3b", "output", "4a "), ("4b", "5x5_reduce", "4b 5x5"), ("3a", "input", "3a ")],
)
def test_readers_are_the_largest_weights(classifier: Classifier, module: str, node: str, unit: str) -> None:
    readers = strongest_readers(classifier, module, node, 0, count=3)
    assert all(reader.unit.startswith(unit) for reader in readers)
    sizes = [abs(reader.weight) for reader in readers]
    assert sizes == sorted(sizes, reverse=True)


def test_readers_of_a_branch_read_its_place_in_the_concatenation(classifier: Classifier) -> None:
    start = tiny().block("4a").channels("pool").start
    readers = strongest_readers(classifier, "4a", "pool_proj", 2, count=100)
    block = classifier.network.block("4b")
    for reader in readers:
        weight = block.unit(reader.unit.split()[1]).conv.weight[reader.channel, start + 2, 0, 0]
        assert reader.weight == pytest.approx(float(weight))
    largest = max(
        float(block.unit(n).conv.weight[:, start + 2].abs().max())
        for n in ("1x1", "3x3_reduce", "5x5_reduce", "pool_proj")
    )
    assert abs(readers[0].weight) == pytest.approx(largest)
    last = strongest_readers(classifier, "5b", "1x1", 4, count=2)
    weights = classifier.network.classifier.weight[:, 4]
    assert [reader.channel for reader in last] == weights.abs().topk(2).indices.tolist()
