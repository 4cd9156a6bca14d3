"""Disturbances beside torchvision's transforms of the same name, and the square's way over the photo."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as v2

from inception_model.images.decode import Photo
from inception_model.images.disturbances import DISTURBANCES, disturbed
from inception_model.images.geometry import Box
from inception_model.images.preprocessing import TINY_IMAGENET, TORCHVISION, Preprocessing
from inception_model.images.surroundings import surroundings
from tests.compare import assert_close, relative_norm


@pytest.fixture(scope="module")
def square(cat: Photo) -> Image.Image:
    return TINY_IMAGENET.crop(cat.image).convert("RGB")


def levels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().contiguous()


def noise(x: Tensor, sigma: float) -> Tensor:
    torch.manual_seed(0)
    return 255 * v2.gaussian_noise(x / 255, mean=0.0, sigma=sigma / 255, clip=True)


THEIRS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "blur": lambda x, sigma: v2.gaussian_blur(x, [2 * int(4 * sigma + 0.5) + 1] * 2, [sigma, sigma]),
    "grey": lambda x, percent: v2.adjust_saturation(x / 255, 1 - percent / 100) * 255,
    "noise": noise,
    "jpeg": lambda x, quality: v2.jpeg(x.to(torch.uint8), int(quality)).float(),
}


@pytest.mark.parametrize(
    ("name", "strength"), [("blur", 0.5), ("blur", 8), ("grey", 35), ("grey", 100), ("noise", 40), ("jpeg", 10)]
)
def test_a_disturbance_is_torchvision_s(square: Image.Image, name: str, strength: float) -> None:
    change = DISTURBANCES[name].change
    assert change is not None
    found, wanted = levels(change(square, strength, 0)), THEIRS[name](levels(square), strength)
    before = relative_norm(levels(square), wanted)
    # Ours is rounded to 8 bits, which moves a value by 0.3 levels on average.
    assert relative_norm(found, wanted) < min(0.006, before / 4)


@pytest.mark.parametrize("turn", [-35.0, 5.0, 90.0])
def test_a_turned_square_is_torchvision_s(cat: Photo, turn: float) -> None:
    around = surroundings(cat.image, TINY_IMAGENET)
    turned = v2.rotate(levels(around.canvas), turn, interpolation=v2.InterpolationMode.BILINEAR)
    assert relative_norm(levels(around.moved(turn=turn)), v2.center_crop(turned, [224, 224])) < 0.01


@pytest.mark.parametrize("preprocessing", [TINY_IMAGENET, TORCHVISION])
@pytest.mark.parametrize("square", [None, Box(40, 30, 240, 230)])
def test_nothing_disturbed_is_what_the_network_sees(
    cat: Photo, preprocessing: Preprocessing, square: Box | None
) -> None:
    around = surroundings(cat.image, preprocessing, square)
    clean = {name: kind.clean for name, kind in DISTURBANCES.items()}
    wanted = np.asarray(preprocessing.crop(cat.image, square).convert("RGB"))
    assert np.array_equal(np.asarray(disturbed(around, clean)), wanted)


def test_a_shifted_square_shows_the_photo_beside_it() -> None:
    """Of a photo that is not resized: pixel by pixel, and mirrored beyond its edge."""
    pixels = np.random.default_rng(1).integers(0, 256, (224, 260, 3), dtype=np.uint8)
    around = surroundings(Image.fromarray(pixels), TINY_IMAGENET)  # the square begins at column 18
    assert np.array_equal(np.asarray(around.moved(right=10)), pixels[:, 28:252])
    assert np.array_equal(np.asarray(around.moved(right=-20))[:, :3], pixels[:, [1, 0, 0]])


def test_strengths_are_applied_in_the_order_of_the_list(cat: Photo) -> None:
    around = surroundings(cat.image, TINY_IMAGENET)
    steps = around.moved(8, -20)
    for name, strength in (("blur", 1.5), ("grey", 50), ("noise", 8), ("jpeg", 40)):
        steps = DISTURBANCES[name].change(steps, strength, 3)  # type: ignore[misc]
    given = {"jpeg": 40, "noise": 8, "grey": 50, "blur": 1.5, "rotation": -20, "shift": 8}
    assert_close(levels(disturbed(around, given, 3)), levels(steps), 0)


def test_a_thin_photo_has_surroundings_too() -> None:
    around = surroundings(Image.new("RGB", (90, 1), (9, 200, 30)), TORCHVISION)
    assert np.unique(np.asarray(around.moved(32, 45)).reshape(-1, 3), axis=0).tolist() == [[9, 200, 30]]


def test_what_is_no_strength_is_told() -> None:
    with pytest.raises(ValueError, match=r"blur has no strength '0.3'; it has: 0, 0\.5, 1"):
        DISTURBANCES["blur"].read("0.3")
    with pytest.raises(KeyError, match="unknown disturbance 'fog'; allowed: shift"):
        disturbed(surroundings(Image.new("RGB", (300, 300)), TINY_IMAGENET), {"fog": 1})
