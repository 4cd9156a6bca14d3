"""The service that the files of serving tests share: one twin, two places in the queue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inception_model.inference.classifier import Classifier
from inception_model.serving.service import InferenceService


@pytest.fixture
def service(tiny_classifier: Classifier) -> Iterator[InferenceService]:
    service = InferenceService(tiny_classifier, twins=1, queue=2)
    yield service
    service.close()
