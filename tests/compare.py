"""How this project compares floats: relative to the size of what is compared.

The order in which a processor sums float32 values moves a result by about 1e-7 of the size of the summands. A fixed
tolerance is therefore too narrow for large numbers and blind for small ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

Values = torch.Tensor | np.ndarray | float | Sequence[float] | Sequence[Sequence[float]]


def as_float64(values: Values) -> np.ndarray:
    """Numbers of any kind as a float64 array; a tensor may lie on any device and want gradients."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def relative_norm(found: Values, wanted: Values) -> float:
    """|found - wanted| / |wanted| over all values, in float64: 0 where both are zero, inf where only `wanted` is.

    The shapes must be the same; nan anywhere makes the result nan, which is below no tolerance.
    """
    one, other = as_float64(found), as_float64(wanted)
    assert one.shape == other.shape, f"shape {one.shape} beside {other.shape}"
    apart, size = float(np.linalg.norm(one - other)), float(np.linalg.norm(other))
    return apart / size if size else (0.0 if apart == 0 else float("inf"))


def assert_close(found: Values, wanted: Values, rel: float = 1e-5, *, scale: float | None = None) -> None:
    """`found` is `wanted` but for `rel` of the norm of `wanted`.

    `scale` is for values that may cancel to nearly zero, or that were printed with few digits: it says how large the
    numbers are that they were computed from (the logits' norm, a chart's height), and no single value may be off by
    more than `rel` of it.
    """
    one, other = as_float64(found), as_float64(wanted)
    assert one.shape == other.shape, f"shape {one.shape} beside {other.shape}"
    if scale is None:
        apart, size = float(np.linalg.norm(one - other)), float(np.linalg.norm(other))
    else:
        apart, size = float(np.abs(one - other).max(initial=0.0)), scale
    assert apart <= rel * size, f"off by {apart:.3g}, allowed {rel:g} of {size:.3g}: found {found}, wanted {wanted}"
