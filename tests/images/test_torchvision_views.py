"""The centre view of torchvision's checkpoint is torchvision's own, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from inception_model.images.preprocessing import CAFFE, TORCHVISION, Preprocessing

SIZES = [(int(w), int(h)) for w, h in np.random.default_rng(0).integers(40, 700, (97, 2))]
ODD = [(224, 224), (257, 1023), (1023, 257)]


@pytest.mark.parametrize("preprocessing", [TORCHVISION, CAFFE], ids=["torchvision", "caffe"])
def test_a_hundred_odd_sizes_are_cut_as_torchvision_does(preprocessing: Preprocessing) -> None:
    transform = v2.Compose([v2.Resize(256, InterpolationMode.BILINEAR, antialias=True), v2.CenterCrop(224)])
    rng = np.random.default_rng(1)
    for width, height in [*SIZES, *ODD]:
        photo = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        assert np.array_equal(np.asarray(preprocessing.crop(photo)), np.asarray(transform(photo))), (width, height)


def test_the_view_says_where_the_cut_square_lies() -> None:
    for width, height in SIZES:
        view = TORCHVISION.view((width, height))
        assert 0 <= view.left < view.right <= width
        assert 0 <= view.top < view.bottom <= height
        # Whole pixels of the resized photo, so the square may be off from the exact middle by half of one.
        assert abs((view.left + view.right) / width - 1) < 2 / 256
        assert abs((view.top + view.bottom) / height - 1) < 2 / 256
