"""Captum's two measures of an explanation (Yeh et al. 2019), given this project's network, image and seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity_max
from torch import Tensor

Score = Callable[[Tensor], Tensor]
Explain = Callable[[Tensor], Tensor]

SLOPES = ("saliency", "smoothgrad", "guided_backprop", "deconvolution", "guided_gradcam")
"""Methods whose values are slopes, to be multiplied by a change of the image; those of all others are effects of
covering a pixel."""


def covering_squares(
    baseline: Tensor, side: int, seed: int, *, slopes: bool
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """A perturbation for `infidelity`: one square of `side` pixels at a random place of each image is replaced by the
    baseline (1, 3, S, S). Also gives what the map is multiplied by: the change of the pixels where the map holds
    `slopes`, else 1 inside the square and 0 outside."""
    random = torch.Generator().manual_seed(seed)

    def perturb(images: Tensor) -> tuple[Tensor, Tensor]:
        size = images.shape[-1]
        corners = torch.randint(0, size - side + 1, (len(images), 2, 1), generator=random)
        inside = (torch.arange(size) >= corners) & (torch.arange(size) < corners + side)  # (N, 2, S): rows, columns
        mask = (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None].to(images)
        covered = torch.lerp(images, baseline.to(images), mask)
        return (images - covered if slopes else mask.expand_as(images)), covered

    return perturb


def infidelity(
    score: Score,
    x: Tensor,
    values: Tensor,
    perturb: Callable[[Tensor], tuple[Tensor, Tensor]],
    samples: int,
    batch: int = 8,
) -> float:
    """Mean squared difference, in logits squared, between the real drop of the score and the one that the map (1, 3,
    S, S) predicts, with the map at its best scale. `score`: images (N, 3, S, S) -> (N,)."""
    found = captum_infidelity(
        score, perturb, x, values, n_perturb_samples=samples, max_examples_per_batch=batch, normalize=True
    )
    return float(found)


def uniform_noise(radius: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    """A perturbation for `sensitivity`: uniform noise of at most `radius` (1, 3, 1, 1) in normalised units."""
    random = torch.Generator().manual_seed(seed)

    def perturb(images: Tensor) -> Tensor:
        noise = torch.rand(images.shape, generator=random).to(images.device) * 2 - 1
        return images + noise * radius.to(images.device)

    return perturb


def sensitivity(explain: Explain, x: Tensor, perturb: Callable[[Tensor], Tensor], samples: int) -> float:
    """The largest change of the map under the perturbation, as a share of its norm. `explain`: one image (1, 3, S, S)
    -> its map (1, ...)."""

    def explained(images: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        # Captum hands the image over as a tuple first and its perturbed copies as a plain tensor; it wants the same
        # kind back, and would take a plain tensor in place of a tuple apart, channel by channel.
        return (explain(images[0]),) if isinstance(images, tuple) else explain(images)

    found = captum_sensitivity_max(
        explained, x, perturb_func=perturb, n_perturb_samples=samples, max_examples_per_batch=1
    )
    return float(found)
