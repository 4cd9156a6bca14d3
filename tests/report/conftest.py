"""One report that the files of report tests share."""

from __future__ import annotations

import dataclasses

import pytest

from inception_model.architecture.variants import tiny
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Classifier
from inception_model.report import Findings, collect, render
from tests.random_networks import random_classifier
from tests.report.pages import QUICK, green_photo


@pytest.fixture(scope="session")
def small() -> Classifier:
    """The tiny network, its first auxiliary head never trained, with class names that try to break out of a page."""
    classifier = random_classifier(tiny(), trained=("aux2", "main"))
    labels = tuple(dataclasses.replace(x, words=f"<b>thing</b> {x.index} & co") for x in classifier.checkpoint.labels)
    return dataclasses.replace(classifier, checkpoint=dataclasses.replace(classifier.checkpoint, labels=labels))


@pytest.fixture(scope="session")
def photo() -> Photo:
    return green_photo()


@pytest.fixture(scope="session")
def findings(small: Classifier, photo: Photo) -> Findings:
    return collect(small, photo, QUICK)


@pytest.fixture(scope="session")
def pages(findings: Findings, photo: Photo) -> dict[bool, str]:
    """The page with the photo (True) and without it."""
    return {shown: render(findings, photo, with_image=shown) for shown in (True, False)}
