"""Fixtures that many tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inception_model.architecture.variants import tiny
from inception_model.checkpoints.checkpoint import Checkpoint
from inception_model.checkpoints.store import load
from inception_model.images.decode import Photo
from inception_model.images.samples import SAMPLES, sample_photo
from inception_model.inference import classifier as classifier_module
from inception_model.inference.classifier import Classifier, build

from .compare import Values, relative_norm
from .random_networks import random_classifier


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests last: as long as a process drives a browser it has an event loop, which others can't have.

    A process takes file after file: of the browser's the longest come first, or one process would still be busy with
    such a file, for minutes, when the others have nothing left.
    """
    items.sort(key=lambda item: (1, -item.path.stat().st_size) if "e2e" in item.path.parts else (0, 0))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """What needs extras is for `make extras-check`, where nothing may be missing."""
    return True if collection_path.name == "test_extras.py" and not os.environ.get("INCEPTIONSCOPE_EXTRAS") else None


@pytest.fixture(scope="session")
def relative() -> Callable[[Values, Values], float]:
    """The relative norm of a deviation: how tensors are compared in this project."""
    return relative_norm


@pytest.fixture(scope="session")
def tiny_classifier() -> Classifier:
    """Random weights on Table 1 divided by sixteen, on the CPU: 7 classes, three heads, 224 pixels."""
    return random_classifier(tiny())


@pytest.fixture
def exact_tiny_classifier(tiny_classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> Classifier:
    """The tiny classifier in float64, for gradients that two ways compute.

    At a ReLU's kink or between equal values of a max pool, rounding in float32 flips single gradients; which ones
    depends on the processor.
    """
    monkeypatch.setitem(classifier_module.DTYPES, "float64", torch.float64)
    return build(tiny_classifier.checkpoint, "cpu", "float64")


@pytest.fixture(scope="session")
def bundled_checkpoint() -> Checkpoint:
    """The checkpoint that comes with the project."""
    return load("tiny-imagenet")


@pytest.fixture(scope="session")
def bundled_classifier(bundled_checkpoint: Checkpoint) -> Classifier:
    """The bundled network on the CPU in float32."""
    return build(bundled_checkpoint, "cpu")


@pytest.fixture(scope="session")
def cat() -> Photo:
    """scikit-image's cat."""
    return sample_photo("cat")


@pytest.fixture(scope="session")
def photo_paths() -> dict[str, Path]:
    """Files of real photos by name: cat, espresso, rocket, astronaut, officer."""
    return {sample.name: sample.path for sample in SAMPLES if sample.path is not None}


@pytest.fixture
def images() -> torch.Tensor:
    """Four different images as a network's input (4, 3, 224, 224), always the same."""
    return torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(3))
