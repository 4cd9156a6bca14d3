"""The part of the network up to a place says what the whole network says there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inception_model.architecture.network import GoogLeNet
from inception_model.architecture.spec import LRNSpec
from inception_model.architecture.variants import tiny
from inception_model.inference.classifier import Classifier
from inception_model.visualization.places import Place, UnitError, all_places
from inception_model.visualization.prefix import values_at
from tests.compare import assert_close
from tests.random_networks import SMALL, noise_images, random_classifier


def _whole(network: GoogLeNet, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What every ReLU of a convolution is given, by the convolution's name, and the heads' logits; by torch's hooks."""
    found: dict[str, torch.Tensor] = {}
    handles = [
        unit.relu.register_forward_pre_hook(lambda _, inputs, name=name: found.update({name: inputs[0].clone()}))
        for name, unit in network.conv_units()
    ]
    try:
        heads = network.forward_heads(x)
    finally:
        for handle in handles:
            handle.remove()
    return found | {name: heads.of(name) for name in heads.present}


@pytest.fixture(scope="module")
def lrn_classifier() -> Classifier:
    """With response normalisation, as the published Caffe weights have it."""
    spec = tiny()
    return random_classifier(replace(spec, stem=replace(spec.stem, lrn=LRNSpec(5, 0.0001, 0.75, 1.0))))


@pytest.mark.parametrize("kind", ["tiny_classifier", "lrn_classifier"])
def test_every_place_alone_equals_the_whole_network(kind: str, request: pytest.FixtureRequest) -> None:
    classifier: Classifier = request.getfixturevalue(kind)
    network, spec, x = classifier.network, classifier.checkpoint.spec, noise_images(2, side=SMALL)
    with torch.no_grad():
        whole = _whole(network, x)
        places = (*all_places(spec), *(Place.of_head(head, spec) for head in spec.heads))
        assert len(places) == 3 + 9 * 6 + 3
        for place in places:
            found = values_at(network, x, [place])
            assert list(found) == [place]
            assert found[place].shape[1] == place.width(spec)
            assert_close(found[place], whole[place.node])


def test_places_of_several_modules_are_read_in_one_pass(tiny_classifier: Classifier) -> None:
    network, spec, x = tiny_classifier.network, tiny_classifier.checkpoint.spec, noise_images(1)
    places = [Place("conv2"), Place("5x5", "4b"), Place("3x3_reduce", "4d"), Place("aux1"), Place("pool_proj", "5a")]
    with torch.no_grad():
        whole = _whole(network, x)
        found = values_at(network, x, places)
    assert set(found) == set(places)
    for place in places:
        assert_close(found[place], whole[place.node])
    assert spec.heads == ("aux1", "aux2", "main")


def test_nothing_behind_the_place_runs(tiny_classifier: Classifier) -> None:
    network, ran = tiny_classifier.network, []
    handles = [
        unit.conv.register_forward_hook(lambda *_, name=name: ran.append(name)) for name, unit in network.conv_units()
    ]
    try:
        values_at(network, noise_images(1), [Place("5x5", "3b")])
        assert [name for name in ran if name.startswith("3b")] == ["3b.5x5_reduce", "3b.5x5"]
        assert not [name for name in ran if name.startswith(("4", "5", "aux"))]
        ran.clear()
        values_at(network, noise_images(1), [Place("conv1")])
        assert ran == ["conv1"]
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4f:5x5", "3a, 3b, 4a, 4b, 4c, 4d, 4e, 5a, 5b"),
        ("4d:7x7", "4d:1x1, 4d:3x3, 4d:5x5, 4d:pool"),
        ("4d", "4d:1x1"),
        ("conv3", "conv1, conv2_reduce, conv2"),
        ("conv1:3", "conv1"),
    ],
)
def test_an_unknown_place_is_told_what_exists(text: str, said: str) -> None:
    with pytest.raises(UnitError, match=said):
        Place.parse(text, tiny())


def test_addresses_are_the_ones_of_branches_and_of_convolutions() -> None:
    assert Place.parse("4d:pool", tiny()) == Place.parse("4d:pool_proj", tiny()) == Place("pool_proj", "4d")
    assert Place.parse(str(Place("5x5_reduce", "4d")), tiny()) == Place("5x5_reduce", "4d")
    with pytest.raises(UnitError, match="aux1, aux2, main"):
        Place.of_head("aux3", tiny())
