"""A network and an image that the files of attribution tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from inception_model.architecture import variants
from inception_model.inference import classifier as classifier_module
from inception_model.inference.classifier import Classifier
from tests.random_networks import noise_images, random_classifier


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Each file's own: in float32 the last digits of a map can depend on what its network was asked before."""
    return random_classifier(variants.tiny(7))


@pytest.fixture(scope="module")
def exact(classifier: Classifier) -> Iterator[Classifier]:
    """The same network in float64. At a ReLU's kink or between equal values of a max pool, rounding in float32 flips
    single gradients, in captum's own results as well; only without rounding can two ways be compared closely."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(classifier_module.DTYPES, "float64", torch.float64)
        yield classifier_module.build(classifier.checkpoint, "cpu", "float64")


@pytest.fixture(scope="session")
def x() -> Tensor:
    # Smooth noise: superpixels of it are patches, as in a photo. A little of the fine kind avoids ties in max pools.
    coarse = nn.functional.interpolate(noise_images(1)[:, :, :14, :14], scale_factor=16, mode="bilinear")
    return coarse + 0.1 * noise_images(1, seed=1)
