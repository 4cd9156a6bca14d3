"""The image that the files of trust tests share."""

from __future__ import annotations

import pytest
from torch import Tensor

from tests.random_networks import SMALL, noise_images


@pytest.fixture(scope="session")
def x() -> Tensor:
    return noise_images(1, seed=5, side=SMALL)
