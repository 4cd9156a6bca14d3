"""ROAD's imputation beside a dense solver, written here pixel by pixel from the paper's definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inception_model.trust.benchmark import imputation
from inception_model.trust.benchmark.imputation import impute, noisy
from tests.compare import relative_norm


def image(side: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kept_pixels(kind: str, side: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(5)
    if kind == "a tenth, scattered":
        return (torch.rand(side, side, generator=random) < 0.1)[None]
    kept = torch.ones(side, side, dtype=torch.bool)
    if kind == "a hole":
        kept[2 : side - 3, 3 : side - 1] = False
    else:  # everything but one corner, up to the image's border
        kept[:, 1:] = kept[1:] = False
    return kept[None]


def solved_densely(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Every removed pixel is the weighted mean of the neighbours that it has."""
    side = len(kept)
    removed = [(int(row), int(column)) for row, column in zip(*np.nonzero(~kept), strict=True)]
    place = {pixel: number for number, pixel in enumerate(removed)}
    matrix, right = np.zeros((len(removed), len(removed))), np.zeros((len(removed), len(x)))
    for (row, column), number in place.items():
        for down, across in [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]:
            other = row + down, column + across
            if not (0 <= other[0] < side and 0 <= other[1] < side):
                continue
            weight = 1 / 6 if down == 0 or across == 0 else 1 / 12
            matrix[number, number] += weight
            if other in place:
                matrix[number, place[other]] -= weight
            else:
                right[number] += weight * x[:, other[0], other[1]]
    found = x.copy()
    found[:, ~kept] = np.linalg.solve(matrix, right).T
    return found


@pytest.mark.parametrize("kind", ["a tenth, scattered", "a hole", "all but a corner"])
@pytest.mark.parametrize("side", [16, 15])  # with coarser grids and without
def test_it_solves_the_papers_system(side: int, kind: str) -> None:
    x, kept = image(side), kept_pixels(kind, side)
    wanted = solved_densely(x[0].numpy(), kept[0].numpy())
    assert relative_norm(impute(x, kept, 1e-10)[0], wanted) < 1e-8
    assert relative_norm(impute(x, kept)[0], wanted) < 3e-3  # as benchmarks use it


def test_a_constant_image_stays_constant() -> None:
    x = torch.full((1, 3, 32, 32), 0.7, dtype=torch.float64)
    assert relative_norm(impute(x, kept_pixels("a hole", 32), 1e-10), x) < 1e-8


def test_a_slope_goes_on_across_a_hole() -> None:
    """Linear functions are harmonic: what was removed from the inside comes back."""
    x = (torch.arange(32.0, dtype=torch.float64)[:, None] + 2 * torch.arange(32.0)).expand(1, 3, 32, 32)
    kept = torch.ones(1, 32, 32, dtype=torch.bool)
    kept[:, 5:20, 8:30] = False
    assert relative_norm(impute(x, kept, 1e-10), x) < 1e-8


def test_kept_pixels_are_untouched_and_a_batch_equals_single_images() -> None:
    x = torch.cat([image(16), image(16, 1)])
    kept = torch.cat([kept_pixels("a hole", 16), kept_pixels("a tenth, scattered", 16)])
    found = impute(x, kept, 1e-10)
    assert torch.equal(found.permute(0, 2, 3, 1)[kept], x.permute(0, 2, 3, 1)[kept])
    assert relative_norm(found, imputation._solve(x, kept, 1e-10)) < 1e-8


def test_noise_lies_on_imputed_pixels_only_and_repeats() -> None:
    x, kept = image(64), kept_pixels("a hole", 64)
    added = noisy(x, kept, 0.01, seed=3) - impute(x, kept)
    assert float(added[:, :, kept[0]].abs().max()) == 0
    assert float(added[:, :, ~kept[0]].std()) == pytest.approx(0.01, rel=0.05)
    assert torch.equal(noisy(x, kept, 0.01, seed=3), noisy(x, kept, 0.01, seed=3))
    assert not torch.equal(noisy(x, kept, 0.01, seed=3), noisy(x, kept, 0.01, seed=4))


def test_where_nothing_is_kept_nothing_is_known() -> None:
    assert torch.equal(impute(image(16), torch.zeros(1, 16, 16, dtype=torch.bool)), torch.zeros(1, 3, 16, 16).double())
