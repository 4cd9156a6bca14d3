"""Every variant of the network in every number type that the command line and the app offer, on the CPU."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inception_model.architecture.spec import NetworkSpec
from inception_model.architecture.variants import SPECS, paper, tiny
from inception_model.attribution import METHODS
from inception_model.inference.classifier import DTYPES, Classifier, build
from tests.attribution.asking import ask
from tests.compare import assert_close
from tests.random_networks import noise_images, random_classifier

OFF = {"float32": 1e-6, "bfloat16": 0.08, "float16": 0.02}
"""How far logits may be from float32's, as a share of their norm: 8 bits of a number, and 11."""


def with_lrn() -> NetworkSpec:
    """The small network with the paper's response normalisation."""
    return replace(tiny(), stem=replace(tiny().stem, lrn=paper().stem.lrn))


@pytest.fixture(scope="module", params=list(SPECS))
def exact(request: pytest.FixtureRequest) -> Classifier:
    """Every variant in float32, one after the other."""
    return random_classifier(SPECS[request.param](7))


@pytest.fixture(scope="module", params=["bfloat16", "float16"])
def half(request: pytest.FixtureRequest) -> Classifier:
    """The small network with LRN in half precision."""
    return build(random_classifier(with_lrn()).checkpoint, "cpu", request.param)


@pytest.mark.parametrize("precision", list(DTYPES))
def test_every_variant_answers_in_every_precision(exact: Classifier, precision: str) -> None:
    x = noise_images(1, seed=2)
    found, wanted = build(exact.checkpoint, "cpu", precision).heads_of(x), exact.heads_of(x)
    for head in wanted.present:
        assert_close(found.of(head), wanted.of(head), OFF[precision])


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_explains_a_network_with_lrn_in_half_precision(method: str, half: Classifier) -> None:
    patches = noise_images(1, seed=2)[:, :, ::16, ::16].repeat_interleave(16, 2).repeat_interleave(16, 3)
    found = ask(half, half.to_input(patches), method)
    assert bool(found.heatmap.isfinite().all())
    assert not found.empty


def test_normalisation_keeps_what_half_precision_cannot_square() -> None:
    # 300 squared is beyond the largest number of float16, 65504.
    layer = random_classifier(with_lrn()).network.lrn1
    x = torch.full((1, 8, 2, 2), 300.0)
    assert_close(layer(x.half()), layer(x), 1e-3)
    assert layer(x.half()).dtype is torch.float16
    assert layer(x.double()).dtype is torch.float64
