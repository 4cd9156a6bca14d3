"""Noisy linear imputation (Rong et al. 2022, ROAD, section 4): a removed pixel becomes what its neighbours would guess.

Every removed pixel is the weighted mean of its eight neighbours, removed ones included: 1/6 for those beside it, 1/12
for the diagonal ones, rescaled at the image's border where some are missing. This is one sparse linear system per
image, symmetric and positive definite as written here. It is solved by conjugate gradients with a multigrid cycle as
preconditioner, in about a tenth of a direct solver's time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BESIDE, DIAGONAL = 1 / 6, 1 / 12
TOLERANCE = 3e-4
"""Norm of the residual over that of the right-hand side at which the solver stops: below the noise that is added."""
_LIMIT = 2000
_COARSEST = 4


def neighbour_sum(x: Tensor) -> Tensor:
    """(N, C, H, W) -> at every pixel the sum of its neighbours times their weights; outside of the image lies 0."""
    rows = F.pad(x, (0, 0, 1, 1))
    rows = rows[..., :-2, :] + 2 * x + rows[..., 2:, :]
    both = F.pad(rows, (1, 1))
    both = both[..., :-2] + 2 * rows + both[..., 2:]
    return (both - 4 * x) * DIAGONAL  # (1, 2, 1) by (1, 2, 1), twelfths, without the pixel itself


class _Level:
    """The system on one grid: `free` (N, 1, h, w) is 1 where a pixel is sought and 0 where it is known."""

    def __init__(self, free: Tensor) -> None:
        self.free = free
        self.weights = neighbour_sum(torch.ones_like(free[:1]))  # what a pixel's neighbours weigh: less at the border
        self.inverse = free / self.weights

    def apply(self, x: Tensor) -> Tensor:
        """The matrix times x; x is 0 where pixels are known, and so is the product."""
        return self.free * (self.weights * x - neighbour_sum(x))


def _levels(free: Tensor) -> list[_Level]:
    """Ever coarser grids; a coarse pixel is sought only if all of its four are, so that known ones stay known."""
    levels = [_Level(free)]
    while free.shape[-1] % 2 == free.shape[-2] % 2 == 0 and min(free.shape[-2:]) > _COARSEST:
        free = -F.max_pool2d(-free, 2)
        if not bool(free.any()):
            break
        levels.append(_Level(free))
    return levels


def _cycle(levels: list[_Level], right: Tensor) -> Tensor:
    """One symmetric V-cycle with Jacobi smoothing, which damps the short waves of this stencil threefold."""
    level, coarser = levels[0], levels[1:]
    x = level.inverse * right
    if not coarser:
        for _ in range(8):
            x = x + level.inverse * (right - level.apply(x))
        return x
    # Sums go down and values come up: transposes of each other, as conjugate gradients demand.
    missing = 4 * F.avg_pool2d(right - level.apply(x), 2)
    found = _cycle(coarser, coarser[0].free * missing)
    x = x + level.free * F.interpolate(found, scale_factor=2.0, mode="nearest")
    return x + level.inverse * (right - level.apply(x))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum((2, 3), keepdim=True)


def impute(x: Tensor, kept: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Images (N, C, H, W) whose pixels outside of `kept` (N, H, W) bool are replaced by the system's solution.

    An image of which nothing is kept has no solution and becomes 0. Raises ValueError if the solver does not arrive.
    """
    # A processor works on one image at a time, which stays in its cache: half the time of a batch.
    size = 1 if x.device.type == "cpu" else len(x)
    return torch.cat(
        [_solve(*pair, tolerance) for pair in zip(torch.split(x, size), torch.split(kept, size), strict=True)]
    )


def _solve(x: Tensor, kept: Tensor, tolerance: float) -> Tensor:
    free = (~kept).unsqueeze(1).to(x.dtype)
    known = x * (1 - free)
    levels = _levels(free)
    right = free * neighbour_sum(known)
    solution, residual = torch.zeros_like(x), right
    direction, former = torch.zeros_like(x), torch.ones_like(_dot(right, right))
    goal = tolerance**2 * _dot(right, right)
    for _ in range(_LIMIT):
        if bool((_dot(residual, residual) <= goal).all()):
            return known + solution
        better = _cycle(levels, residual)
        size = _dot(residual, better)
        direction = better + torch.where(former > 0, size / former, 0.0) * direction
        product = levels[0].apply(direction)
        curvature = _dot(direction, product)
        step = torch.where(curvature > 0, size / curvature, 0.0)  # an image that is done stands still
        solution, residual, former = solution + step * direction, residual - step * product, size
    raise ValueError(f"the imputation did not arrive at a residual of {tolerance:g} in {_LIMIT} steps")


def noisy(x: Tensor, kept: Tensor, sd: float, seed: int) -> Tensor:
    """`impute` with normal noise of that deviation, in normalised values, on the pixels that were imputed."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(x.shape, generator=random, dtype=x.dtype).to(x.device) * sd
    return impute(x, kept) + noise * (~kept).unsqueeze(1)
