"""Random views of training images: crops, stretched and mirrored (section 6 of the paper samples patches alike).

The transforms are torchvision's; only the noise of the lighting is written here. Each view is decided by (seed, step,
image) alone, so a run that is interrupted sees the same views as one that isn't, with any number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode, v2

from .data import DatasetError, LabelledImages
from .recipe import Stage, TrainingConfig

CPU = torch.device("cpu")
Place = tuple[int, int]
"""An optimizer step and the index of an image in that step's batch."""


COLOUR_VARIANCES = (0.2175, 0.0188, 0.0045)
COLOUR_COMPONENTS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
"""Principal components of RGB in [0, 1] over ImageNet's training images: variances, and a column of (R, G, B) each, as
in Facebook's fb.resnet.torch."""


class Lighting(nn.Module):
    """Noise along the principal components of colour, one draw an image (Krizhevsky et al. 2012, section 4.1): each
    component is added times its variance times a normal number of this standard deviation. uint8 (3, H, W)."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, pixels: Tensor) -> Tensor:
        drawn = torch.randn(3) * self.deviation * torch.tensor(COLOUR_VARIANCES)
        light = torch.tensor(COLOUR_COMPONENTS) @ drawn * 255
        return (pixels + light[:, None, None]).round().clamp(0, 255).to(torch.uint8)


class View:
    """A random view of an image: PIL RGB -> uint8 (3, S, S)."""

    def __init__(self, stage: Stage, config: TrainingConfig) -> None:
        size = stage.size
        if stage.tune:
            transforms: list[nn.Module] = [
                v2.Resize(size, InterpolationMode.BICUBIC),
                v2.CenterCrop(size),
                v2.RandomHorizontalFlip(),
            ]
            self.before, self.after = v2.Compose([*transforms, v2.PILToTensor()]), v2.Identity()
            return
        strength = config.photometric
        area, aspect = (config.min_area, 1.0), (1 / config.max_aspect, config.max_aspect)
        crops = [
            v2.RandomResizedCrop(size, area, aspect, InterpolationMode(interpolation))
            for interpolation in config.interpolations
        ]
        # Brightness, contrast and saturation in a random order, each by up to `strength`: Howard 2013, 1312.5402.
        distortion = [
            *([v2.RandomGrayscale(config.grayscale)] if config.grayscale else []),
            v2.ColorJitter(strength, strength, strength),
        ]
        transforms = [
            v2.RandomHorizontalFlip(),
            *(distortion if strength else []),
            *([v2.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR)] if config.trivial_augment else []),
            crops[0] if len(crops) == 1 else v2.RandomChoice(crops),
            v2.PILToTensor(),
            *([Lighting(config.lighting)] if config.lighting else []),
        ]
        self.before = v2.Compose(transforms)
        # Erased with the middle of the range, which normalising takes close to 0.
        self.after = v2.RandomErasing(config.erasing, value=127) if config.erasing else v2.Identity()

    def __call__(self, image: Image.Image) -> Tensor:
        pixels: Tensor = self.after(self.before(image))
        return pixels


class RandomViews(Dataset[tuple[Tensor, int]]):
    """Random views as uint8 (3, S, S) with their labels, by (step, index); DatasetError names a broken image."""

    def __init__(self, images: LabelledImages, view: View, seed: int) -> None:
        self.images, self.view, self.seed = images, view, seed

    def __getitem__(self, place: Place) -> tuple[Tensor, int]:
        step, index = place
        try:
            image, label = self.images[index]
        except (OSError, ValueError) as error:
            number = self.images.numbers[index]
            raise DatasetError(f"image {number} of the training images can't be decoded ({error}): remove it") from None
        with torch.random.fork_rng(devices=[]):
            seed_default(view_seed(self.seed, step, index), CPU)
            return self.view(image), label


def seed_default(seed: int, device: torch.device) -> None:
    """Seeds the numbers that torch draws by itself on that device.

    `torch.manual_seed` seeds those of every kind of accelerator too: with none in use, it writes the call stack into
    a list for each, which costs more than a small view of an image.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def view_seed(seed: int, step: int, index: int) -> int:
    """A 63-bit seed for one view, spread evenly whatever the three numbers are."""
    return int(np.random.SeedSequence([seed, step, index]).generate_state(1, np.uint64)[0] >> 1)


class Told(Dataset[tuple[Tensor, int] | DatasetError]):
    """The same views; a broken image is an item, its DatasetError.

    What a worker raises arrives with its traceback in the message; what it returns arrives as it is.
    """

    def __init__(self, views: RandomViews) -> None:
        self.views = views

    def __getitem__(self, place: Place) -> tuple[Tensor, int] | DatasetError:
        try:
            return self.views[place]
        except DatasetError as error:
            return error


def collate_told(batch: list[tuple[Tensor, int] | DatasetError]) -> tuple[Tensor, Tensor] | DatasetError:
    """As `collate`; a batch with a broken image is that image's error."""
    good = [item for item in batch if not isinstance(item, DatasetError)]
    return collate(good) if len(good) == len(batch) else next(i for i in batch if isinstance(i, DatasetError))


def unbroken(batches: Iterable[tuple[Tensor, Tensor] | DatasetError]) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of `collate_told`, up to one with a broken image, whose DatasetError is raised."""
    for batch in batches:
        if isinstance(batch, DatasetError):
            raise batch
        yield batch


def collate(batch: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Views (3, S, S) and labels -> (N, 3, S, S) uint8 in channels-last memory, and (N,)."""
    pixels = torch.stack([pixels for pixels, _ in batch]).contiguous(memory_format=torch.channels_last)
    return pixels, torch.tensor([label for _, label in batch])
